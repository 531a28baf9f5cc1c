/**
 * Serves any guest over the GDB remote protocol, so that gdb and lldb read a dump or a frozen machine like a stopped
 * target. Start with {@link dev.guestcore.serve.gdb.GdbServer}.
 */
@NullMarked
package dev.guestcore.serve.gdb;

import org.jspecify.annotations.NullMarked;

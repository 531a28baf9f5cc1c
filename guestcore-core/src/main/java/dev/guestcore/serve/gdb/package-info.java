/**
 * A debugger's door: any guest, served over the GDB remote protocol, so that gdb and lldb read a dump or a frozen
 * machine like a stopped target. Begin with {@link dev.guestcore.serve.gdb.GdbServer}.
 */
@NullMarked
package dev.guestcore.serve.gdb;

import org.jspecify.annotations.NullMarked;

/**
 * What other programs need to know about a guest's kernel, made from its memory: a {@code vmlinux} for crash, gdb and
 * drgn, a symbol table for Volatility 3, a {@code System.map}, VMCOREINFO.
 */
@NullMarked
package dev.guestcore.linux.export;

import org.jspecify.annotations.NullMarked;

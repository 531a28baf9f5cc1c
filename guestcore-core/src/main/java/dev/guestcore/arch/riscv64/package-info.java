/** 64-bit RISC-V. */
@NullMarked
package dev.guestcore.arch.riscv64;

import org.jspecify.annotations.NullMarked;

/** 64-bit Arm. */
@NullMarked
package dev.guestcore.arch.arm64;

import org.jspecify.annotations.NullMarked;

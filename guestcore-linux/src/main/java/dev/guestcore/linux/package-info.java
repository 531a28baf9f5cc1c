/**
 * What a Linux guest was doing, from its memory alone, without a debug package: start with
 * {@link dev.guestcore.linux.Linux}. Each subsystem of the kernel has a class of its own.
 */
@NullMarked
package dev.guestcore.linux;

import org.jspecify.annotations.NullMarked;

/**
 * What a processor is: {@link dev.guestcore.cpu.Architecture}, its registers and their values. Each family has a package of its
 * own below {@code dev.guestcore.arch}.
 */
@NullMarked
package dev.guestcore.cpu;

import org.jspecify.annotations.NullMarked;

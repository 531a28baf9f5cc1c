/**
 * Kernel stacks, frame by frame, without a debug package: by the tables that the kernel unwinds its own stacks with
 * (ORC), and by frame pointers where code has no such table.
 */
@NullMarked
package dev.guestcore.linux.stacks;

import org.jspecify.annotations.NullMarked;

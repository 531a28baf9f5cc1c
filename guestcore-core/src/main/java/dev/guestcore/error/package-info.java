/**
 * The errors of the whole library. Each is a {@link dev.guestcore.error.GuestcoreException} with one line for the user.
 * An error that belongs to one thing, such as {@link dev.guestcore.MemoryAccessException}, lies beside it.
 */
@NullMarked
package dev.guestcore.error;

import org.jspecify.annotations.NullMarked;

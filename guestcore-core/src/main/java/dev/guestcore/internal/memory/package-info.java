/** Implementations of guest memory that several formats and sources share. */
@NullMarked
package dev.guestcore.internal.memory;

import org.jspecify.annotations.NullMarked;

/** Keeps the memory of one instant while the guest runs on. */
@NullMarked
package dev.guestcore.internal.freeze;

import org.jspecify.annotations.NullMarked;

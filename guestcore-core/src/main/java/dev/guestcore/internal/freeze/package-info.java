/**
 * Keeps the memory of one instant while the guest runs on: where the way is chosen that lets it stand still the least, and
 * where its memory is put meanwhile.
 */
@NullMarked
package dev.guestcore.internal.freeze;

import org.jspecify.annotations.NullMarked;

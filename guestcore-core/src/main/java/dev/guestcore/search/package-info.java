/** Searches memory, guest-physical or virtual, for bytes, texts and regular expressions. */
@NullMarked
package dev.guestcore.search;

import org.jspecify.annotations.NullMarked;

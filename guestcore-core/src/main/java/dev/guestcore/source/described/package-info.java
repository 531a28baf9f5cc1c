/**
 * The described guest {@code file:guest.json}: a guest that a JSON file describes, region by region and register by
 * register, for authors of emulators and for tests. The schema is docs/described-guest.md. Contents are computed when
 * they are read, so a described guest of a terabyte costs nothing.
 */
@NullMarked
package dev.guestcore.source.described;

import org.jspecify.annotations.NullMarked;

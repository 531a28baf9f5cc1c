/**
 * Raw images: the bytes of memory and nothing else, with a map beside them that says what lies where. An image without a
 * map is opened only where the user says so, as {@code raw:FILE@BASE}.
 */
@NullMarked
package dev.guestcore.format.raw;

import org.jspecify.annotations.NullMarked;

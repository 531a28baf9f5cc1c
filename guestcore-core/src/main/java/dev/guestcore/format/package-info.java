/**
 * What a core format is: {@link dev.guestcore.format.CoreFormat} recognises, opens, verifies and writes. One package below
 * this one for each format; none knows another.
 */
@NullMarked
package dev.guestcore.format;

import org.jspecify.annotations.NullMarked;

/**
 * What a core format is: a {@link dev.guestcore.format.CoreFormat} recognises, opens, verifies and writes files. Each
 * format has a package below this one, and none depends on another.
 */
@NullMarked
package dev.guestcore.format;

import org.jspecify.annotations.NullMarked;

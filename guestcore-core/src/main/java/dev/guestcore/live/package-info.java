/** Guests that are not core files: each kind of source has a package below this one, and none depends on another. */
@NullMarked
package dev.guestcore.live;

import org.jspecify.annotations.NullMarked;

/** Guests that are not core files: one package below this one for each kind of source; none knows another. */
@NullMarked
package dev.guestcore.live;

import org.jspecify.annotations.NullMarked;

/**
 * The model: a {@link dev.guestcore.Guest} is a virtual machine frozen at one instant. {@link dev.guestcore.Guests}
 * opens one from a file or a live source; everything else in the library takes one.
 *
 * <p>The model depends on no format and no source; they depend on the model.
 */
@NullMarked
package dev.guestcore;

import org.jspecify.annotations.NullMarked;

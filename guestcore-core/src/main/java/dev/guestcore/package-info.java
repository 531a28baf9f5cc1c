/**
 * The model: a {@link dev.guestcore.Guest} is a virtual machine frozen at one instant. {@code
 * dev.guestcore.open.Guests} opens one from a file or a live source; everything else in the library takes one.
 *
 * <p>The model depends on nothing else in the library but registers, errors and the facts of hypervisors.
 */
@NullMarked
package dev.guestcore;

import org.jspecify.annotations.NullMarked;

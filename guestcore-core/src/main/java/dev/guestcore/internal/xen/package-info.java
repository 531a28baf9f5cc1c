/** Structures of Xen that dumps of several formats hold. */
@NullMarked
package dev.guestcore.internal.xen;

import org.jspecify.annotations.NullMarked;

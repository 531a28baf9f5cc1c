/** Tables of ranges outside the heap, which do not grow it however many ranges a dump has. */
@NullMarked
package dev.guestcore.internal.ranges;

import org.jspecify.annotations.NullMarked;

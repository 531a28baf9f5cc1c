/** Dump files that arrive as a stream of addressed pieces, as makedumpfile and QEMU write them into pipes. */
@NullMarked
package dev.guestcore.internal.flat;

import org.jspecify.annotations.NullMarked;

/** How a Linux kernel lays out its memory, as far as writers must know it. */
@NullMarked
package dev.guestcore.internal.kernel;

import org.jspecify.annotations.NullMarked;

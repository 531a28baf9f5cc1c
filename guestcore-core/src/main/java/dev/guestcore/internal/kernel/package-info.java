/** What writers must know of a Linux kernel: how it calls itself, and where its image and its pages lie. */
@NullMarked
package dev.guestcore.internal.kernel;

import org.jspecify.annotations.NullMarked;

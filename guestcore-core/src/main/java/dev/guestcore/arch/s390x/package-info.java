/** 64-bit IBM Z. */
@NullMarked
package dev.guestcore.arch.s390x;

import org.jspecify.annotations.NullMarked;

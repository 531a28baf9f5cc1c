/** Work that several threads share. */
@NullMarked
package dev.guestcore.internal.parallel;

import org.jspecify.annotations.NullMarked;

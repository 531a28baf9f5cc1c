/** Text that users write: numbers with units. */
@NullMarked
package dev.guestcore.internal.text;

import org.jspecify.annotations.NullMarked;

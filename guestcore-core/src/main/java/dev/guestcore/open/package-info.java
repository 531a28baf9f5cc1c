/**
 * Opens guests: {@link dev.guestcore.open.Guests} finds the format of a file by its content, and the source of a live
 * guest by its scheme. It knows formats and sources only as such, through {@link java.util.ServiceLoader}.
 */
@NullMarked
package dev.guestcore.open;

import org.jspecify.annotations.NullMarked;

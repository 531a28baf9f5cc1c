/**
 * Guestcore's own record: what a target format cannot carry travels in a note or section that other readers skip, so that
 * a later conversion restores it.
 */
@NullMarked
package dev.guestcore.internal.keep;

import org.jspecify.annotations.NullMarked;

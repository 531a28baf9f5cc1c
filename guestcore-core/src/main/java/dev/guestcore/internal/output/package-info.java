/** Where cores are written to: files that get their name only when whole, pipes, and the copy of guest memory into them. */
@NullMarked
package dev.guestcore.internal.output;

import org.jspecify.annotations.NullMarked;

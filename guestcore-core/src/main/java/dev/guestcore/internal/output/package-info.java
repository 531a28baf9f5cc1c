/** Where bytes are written to: files that get their name only when whole, the files beside them, and pipes. */
@NullMarked
package dev.guestcore.internal.output;

import org.jspecify.annotations.NullMarked;

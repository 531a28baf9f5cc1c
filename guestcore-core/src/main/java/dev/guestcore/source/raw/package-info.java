/** Raw images of memory that the user names as such. The bytes are read by the raw format. */
@NullMarked
package dev.guestcore.source.raw;

import org.jspecify.annotations.NullMarked;


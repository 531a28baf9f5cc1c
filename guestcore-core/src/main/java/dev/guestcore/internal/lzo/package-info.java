/** LZO, in which kdumps keep pages and lzop keeps files. */
@NullMarked
package dev.guestcore.internal.lzo;

import org.jspecify.annotations.NullMarked;

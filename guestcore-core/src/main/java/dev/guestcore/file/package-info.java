/**
 * Bytes of files: {@link dev.guestcore.file.FileBytes} is the one door through which they are read, checked,
 * decompressed and put together; {@link dev.guestcore.file.CoreSink} takes what is written. Nothing here knows what the
 * bytes mean.
 */
@NullMarked
package dev.guestcore.file;

import org.jspecify.annotations.NullMarked;

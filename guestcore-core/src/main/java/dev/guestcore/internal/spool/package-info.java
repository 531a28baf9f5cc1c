/** Compressed data made readable at any place: decompressors, and the temporary file that their output goes into. */
@NullMarked
package dev.guestcore.internal.spool;

import org.jspecify.annotations.NullMarked;

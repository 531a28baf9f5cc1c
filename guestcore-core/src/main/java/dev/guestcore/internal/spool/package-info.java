/** Decompressors, and the temporary file that their output goes into. */
@NullMarked
package dev.guestcore.internal.spool;

import org.jspecify.annotations.NullMarked;

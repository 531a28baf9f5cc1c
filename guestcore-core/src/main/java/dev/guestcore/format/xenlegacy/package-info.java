/** The dumps that {@code xm dump-core} wrote before 2007: a binary header, vCPU contexts, a list of frames, pages. Read only. */
@NullMarked
package dev.guestcore.format.xenlegacy;

import org.jspecify.annotations.NullMarked;

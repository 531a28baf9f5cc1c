/**
 * Views over any guest: totals, a scan of all pages, a comparison of two guests, the picture of guest-physical memory,
 * a hex dump. They depend on the model only, not on a format or the command line. Each takes a guest or its memory and
 * returns a record.
 */
@NullMarked
package dev.guestcore.inspect;

import org.jspecify.annotations.NullMarked;

/**
 * Views over any guest: totals, a scan of all pages, a comparison of two guests, the picture of guest-physical memory,
 * a hex dump. They know the model only, no format and no command line; each takes a guest or its memory and gives a
 * record.
 */
@NullMarked
package dev.guestcore.inspect;

import org.jspecify.annotations.NullMarked;

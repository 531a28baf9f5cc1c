/**
 * The compressed kdump format of makedumpfile and QEMU ("KDUMP   "): header, two bitmaps of pages, a descriptor for each
 * stored page, pages compressed one by one. Documented in {@code docs/formats/kdump.md}.
 */
@NullMarked
package dev.guestcore.format.kdump;

import org.jspecify.annotations.NullMarked;

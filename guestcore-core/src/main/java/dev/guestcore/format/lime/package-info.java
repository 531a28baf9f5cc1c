/**
 * Memory images of LiME (the Linux memory extractor) and of AVML, which is LiME version 2 with compressed blocks. Both hold
 * memory only, no registers.
 */
@NullMarked
package dev.guestcore.format.lime;

import org.jspecify.annotations.NullMarked;

/** Comparisons with native tools: both do the same work on the same guest in one run, by turns. */
@NullMarked
package dev.guestcore.bench;

import org.jspecify.annotations.NullMarked;

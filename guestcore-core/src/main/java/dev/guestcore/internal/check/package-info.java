/** What the checks of all formats share: lists of checks and findings, and comparisons of what a file holds twice or not at all. */
@NullMarked
package dev.guestcore.internal.check;

import org.jspecify.annotations.NullMarked;

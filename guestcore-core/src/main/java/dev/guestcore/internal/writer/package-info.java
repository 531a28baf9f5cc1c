/** What the writers of all formats share: the copy of guest memory, and what no format or few can carry. */
@NullMarked
package dev.guestcore.internal.writer;

import org.jspecify.annotations.NullMarked;

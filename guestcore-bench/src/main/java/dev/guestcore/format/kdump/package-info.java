/** What can be measured only from within the room of the kdumps. */
@NullMarked
package dev.guestcore.format.kdump;

import org.jspecify.annotations.NullMarked;

/** Tests of what is handed out, on what was packaged: nothing of the checkout is on the way. */
@NullMarked
package dev.guestcore.dist;

import org.jspecify.annotations.NullMarked;

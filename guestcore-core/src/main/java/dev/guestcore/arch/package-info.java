/** All architectures that Guestcore has a name for. */
@NullMarked
package dev.guestcore.arch;

import org.jspecify.annotations.NullMarked;

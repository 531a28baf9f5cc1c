/** What becomes of a live guest and its host when a capture is killed or its QEMU is lost. */
@NullMarked
package dev.guestcore.it.faults;

import org.jspecify.annotations.NullMarked;

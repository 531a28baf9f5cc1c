/** Tests against real hypervisors and real readers, and what they share: tools of the machine, guests that are known. */
@NullMarked
package dev.guestcore.it;

import org.jspecify.annotations.NullMarked;

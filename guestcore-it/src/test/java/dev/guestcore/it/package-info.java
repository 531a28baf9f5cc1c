/** Tests against real hypervisors and real readers, and what they share: tools of the machine, known guests. */
@NullMarked
package dev.guestcore.it;

import org.jspecify.annotations.NullMarked;

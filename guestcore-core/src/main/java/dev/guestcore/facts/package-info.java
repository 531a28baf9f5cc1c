/** Facts that only the dumps of one hypervisor or format have, and what the kernel of a Linux guest says of itself. */
@NullMarked
package dev.guestcore.facts;

import org.jspecify.annotations.NullMarked;

/** Facts that only the dumps of one hypervisor or format have. */
@NullMarked
package dev.guestcore.hypervisor;

import org.jspecify.annotations.NullMarked;

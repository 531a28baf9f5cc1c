/**
 * QEMU's migration stream: memory handed over as it comes, vCPUs and devices decoded by the description at the stream's
 * end, and where a PC's memory blocks lie in the guest-physical address space.
 */
@NullMarked
package dev.guestcore.internal.migration;

import org.jspecify.annotations.NullMarked;

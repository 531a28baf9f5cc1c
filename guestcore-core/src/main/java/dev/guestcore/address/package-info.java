/**
 * Address translation: page-table walks with a vCPU's own control registers, and a view of memory by virtual address.
 * Start with {@link dev.guestcore.address.AddressSpace}.
 */
@NullMarked
package dev.guestcore.address;

import org.jspecify.annotations.NullMarked;

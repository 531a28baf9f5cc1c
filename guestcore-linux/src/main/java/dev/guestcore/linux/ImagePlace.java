package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.address.AddressSpace;

/**
 * Where a kernel is whose symbols were found.
 *
 * @param range virtual addresses from {@code _text} to {@code _end}
 * @param physical guest-physical address of its first byte
 * @param shift what to add to an address of the tables of symbols to make it virtual
 * @param space the kernel's address space
 * @param how how it was found, for the user
 */
record ImagePlace(AddressRange range, long physical, long shift, AddressSpace space, String how) {}

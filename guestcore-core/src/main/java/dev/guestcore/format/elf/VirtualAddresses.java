package dev.guestcore.format.elf;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.error.GuestcoreException;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The virtual addresses of memory in a core. gdb and other programs for processes take what a program header says for what
 * the processor sees there. Not thread-safe.
 */
final class VirtualAddresses {

    /**
     * The middle of the hole between user and kernel half, in which x86-64 translates nothing whatever its mode. Memory that
     * no known virtual address leads to is placed from there on, so that nobody takes it for that of another address.
     */
    static final long NOWHERE = 1L << 62;

    /** More tables are not read for one segment: what is mapped in so many pieces counts as not mapped as a whole. */
    private static final long MOST_TABLES = 4096;

    private final OptionalLong directMap;
    private final Optional<AddressSpace> space;

    private VirtualAddresses(OptionalLong directMap, Optional<AddressSpace> space) {
        this.directMap = directMap;
        this.space = space;
    }

    /** Every address is the physical one, as in a machine that translates none. */
    static VirtualAddresses physical() {
        return new VirtualAddresses(OptionalLong.empty(), Optional.empty());
    }

    /** All memory as a kernel maps it, from {@code start} on. */
    static VirtualAddresses directMap(long start) {
        return new VirtualAddresses(OptionalLong.of(start), Optional.empty());
    }

    /**
     * As the first vCPU sees it, if its registers tell, it translates addresses and its page tables are there; else the
     * physical ones, as QEMU has it.
     */
    static VirtualAddresses seen(Guest guest) {
        if (guest.vcpus().isEmpty()) {
            return physical();
        }
        try {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            boolean isTranslated = space.paging().mode().hasTables()
                    && guest.memory().runAt(space.paging().root()).state().isReadable();
            return new VirtualAddresses(OptionalLong.empty(), isTranslated ? Optional.of(space) : Optional.empty());
        } catch (GuestcoreException e) {
            return physical();
        }
    }

    /** The virtual address of a segment of guest-physical memory. */
    long of(AddressRange segment) {
        long first = segment.first();
        if (directMap.isPresent()) {
            return directMap.getAsLong() + first;
        }
        return space.isEmpty() || isMappedToItself(space.get(), segment) ? first : NOWHERE + first;
    }

    /** Whether the segment is seen at its physical addresses, to its end. */
    private static boolean isMappedToItself(AddressSpace space, AddressRange segment) {
        long[] next = {segment.first()};
        try {
            space.mappings(segment, MOST_TABLES, mapping -> {
                boolean continues = mapping.range().first() == next[0];
                boolean itself = mapping.contiguous()
                        && mapping.physical().equals(
                                new PhysicalAddress(PhysicalAddress.Space.GUEST, mapping.range().first()));
                if (continues && itself) {
                    next[0] = mapping.range().last() + 1;
                }
            });
        } catch (GuestcoreException e) {
            return false;
        }
        return next[0] == segment.last() + 1;
    }
}

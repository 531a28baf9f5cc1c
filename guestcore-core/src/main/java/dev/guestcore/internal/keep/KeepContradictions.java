package dev.guestcore.internal.keep;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * Whether a record hides or contradicts what the core itself holds: the record says more than the core can, never something
 * else. One of the two was changed.
 */
final class KeepContradictions {

    private static final long PAGE = Architecture.SMALLEST_PAGE;

    /** What opening may read to see whether pages are zero that the record calls lost. */
    private static final long MOST_READ = 4 << 20;

    private static final int CHUNK = 64 << 10;
    private static final long LOW_HALF = 0xffff_ffffL;

    private KeepContradictions() {}

    /**
     * The first contradiction, in words.
     *
     * @param read the guest as the core has it
     * @param regions of the record, with their kinds
     * @param states what the record calls lost
     * @param registers of the record, a vCPU each
     */
    static Optional<String> find(Guest read, Extents regions, Extents states, List<RegisterState> registers) {
        return hiddenMemory(read.memory(), regions)
                .or(() -> contentOfLostPages(read.memory(), states))
                .or(() -> registers(read, registers));
    }

    /** Memory of the core that no region of the record has; a format of pages may round at the ends of a region. */
    private static Optional<String> hiddenMemory(GuestMemory memory, Extents regions) {
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            AddressRange range = region.range();
            long at = range.first();
            while (true) {
                long index = regions.floor(at);
                boolean known = regions.contains(index, at) && hasContent(regions, index);
                long last = known || regions.contains(index, at)
                        ? lower(regions.last(index), range.last())
                        : lower(index + 1 < regions.count() ? regions.first(index + 1) - 1 : -1L, range.last());
                if (!known && wholePages(at, last)) {
                    return Optional.of("memory at " + new AddressRange(at, last) + ", which the record does not have");
                }
                if (last == range.last()) {
                    break;
                }
                at = last + 1;
            }
        }
        return Optional.empty();
    }

    private static boolean hasContent(Extents regions, long index) {
        return KeepRecord.KINDS.get((int) regions.value(index)) != MemoryRegion.Kind.DEVICE;
    }

    /** Whether a stretch is more than the rest of a page that belongs to its neighbours. */
    private static boolean wholePages(long first, long last) {
        long from = first + PAGE - 1 & -PAGE;
        long behind = last + 1 & -PAGE;
        return Long.compareUnsigned(first, from) <= 0
                && (behind == 0 && last == -1L || Long.compareUnsigned(from, behind) < 0);
    }

    private static long lower(long left, long right) {
        return Long.compareUnsigned(left, right) <= 0 ? left : right;
    }

    /** What the source had lost was written as zeros, or not at all. */
    private static Optional<String> contentOfLostPages(GuestMemory memory, Extents states) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate(CHUNK);
            MemorySegment zeros = arena.allocate(CHUNK);
            long left = MOST_READ;
            for (long i = 0; i < states.count() && left > 0; i++) {
                long at = states.first(i);
                while (left > 0) {
                    long lessOne = states.last(i) - at;
                    long size = Long.compareUnsigned(lessOne, CHUNK - 1) < 0 ? lessOne + 1 : CHUNK;
                    long read = memory.readAvailable(at, chunk.asSlice(0, size));
                    long content = MemorySegment.mismatch(chunk, 0, read, zeros, 0, read);
                    if (content >= 0) {
                        return Optional.of("content at guest-physical address 0x" + Long.toHexString(at + content)
                                + ", which the record calls lost");
                    }
                    left -= size;
                    if (read < size || at + (size - 1) == states.last(i)) {
                        break;
                    }
                    at += size;
                }
            }
            return Optional.empty();
        }
    }

    private static Optional<String> registers(Guest read, List<RegisterState> registers) {
        if (read.vcpus().size() > registers.size()) {
            return Optional.of(read.vcpus().size() + " vCPUs, where the record has " + registers.size());
        }
        // A core for the 386 holds the lower halves only.
        boolean halves = read.facts(ElfFacts.class).filter(facts -> facts.machine() == Elf.EM_386).isPresent();
        for (int i = 0; i < read.vcpus().size(); i++) {
            RegisterState inCore = read.vcpus().get(i).registers();
            RegisterState inRecord = registers.get(i);
            for (Register register : inRecord.known()) {
                if (!isCertain(register) || !inCore.knows(register)) {
                    continue;
                }
                long core = inCore.get(register);
                long kept = inRecord.get(register);
                if (core != kept && !(halves && core == (kept & LOW_HALF))) {
                    return Optional.of(register.label() + " " + inCore.hex(register) + " of vCPU " + i
                            + ", where the record has " + inRecord.hex(register));
                }
            }
        }
        return Optional.empty();
    }

    /** Whether every format that has the register has all of it as it is. */
    private static boolean isCertain(Register register) {
        return register.group() == Register.Group.GENERAL || register == X86.CR0 || register == X86.CR3
                || register == X86.CR4;
    }
}

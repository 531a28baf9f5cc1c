package dev.guestcore.linux.types;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Finds a kernel's BTF in memory: the kernel keeps it, contiguous, among its read-only data. Where {@code __start_BTF} and
 * {@code __stop_BTF} are known, {@link #at} reads it; otherwise {@link #search} looks for its first bytes.
 */
public final class BtfFinder {

    private static final int CHUNK = 1 << 20;
    private static final int HEAD = 32;
    private static final int SAMPLE = 64;
    private static final long NOT_ASCII = 0x8080_8080_8080_8080L;
    private static final int MOST_CANDIDATES = 1 << 16;

    /** What every kernel has, and no module has of its own. */
    private static final String WITNESS = "struct task_struct";

    /**
     * A place that holds BTF.
     *
     * @param address where it begins
     * @param types what it says
     */
    public record Place(long address, Btf types) {}

    private record Candidate(long address, long size) {}

    private final GuestMemory memory;
    private final List<Candidate> candidates = new ArrayList<>();

    private BtfFinder(GuestMemory memory) {
        this.memory = memory;
    }

    /**
     * Reads the BTF of a kernel at a known place; if parts of it are damaged or missing, the rest of it, which
     * {@link Btf#damage} tells.
     *
     * @param memory by the addresses that {@code address} is one of
     * @param address where it begins, as {@code __start_BTF} says
     * @param size its bytes
     * @throws TypesException if there is something else, or if its head is damaged or missing
     */
    public static Btf at(GuestMemory memory, long address, long size) {
        MemorySegment section = allocate(address, size);
        int offset = (int) (address & BtfRecovery.PAGE - 1);
        BitSet lost = readPages(memory, address, section);
        for (int page = 0; (long) page * BtfRecovery.PAGE - offset < size; page++) {
            if (isZero(section, (long) page * BtfRecovery.PAGE - offset)) {
                lost.set(page);
            }
        }
        try {
            if (!lost.get(0)) {
                addDamagedStrings(section, offset, lost);
            }
            return lost.isEmpty() ? Btf.read(section) : Btf.readDamaged(section, offset, lost);
        } catch (TypesException e) {
            if (lost.isEmpty()) {
                return Btf.readDamaged(section, offset, lost);
            }
            throw e;
        }
    }

    /** Reads a section by pages; gives those that cannot be read. */
    private static BitSet readPages(GuestMemory memory, long address, MemorySegment section) {
        BitSet lost = new BitSet();
        long done = 0;
        while (done < section.byteSize()) {
            done += memory.readAvailable(address + done, section.asSlice(done));
            if (done < section.byteSize()) {
                long offset = address & BtfRecovery.PAGE - 1;
                long page = (done + offset) / BtfRecovery.PAGE;
                lost.set((int) page);
                done = Math.min(section.byteSize(), (page + 1) * BtfRecovery.PAGE - offset);
            }
        }
        return lost;
    }

    /** Whether a whole page holds zeros, as it never does in BTF. */
    private static boolean isZero(MemorySegment section, long from) {
        if (from < 0 || from + BtfRecovery.PAGE > section.byteSize()) {
            return false;
        }
        for (long at = from; at < from + BtfRecovery.PAGE; at += Long.BYTES) {
            if (section.get(ValueLayout.JAVA_LONG_UNALIGNED, at) != 0) {
                return false;
            }
        }
        return true;
    }

    /** Strings are of ASCII; a look at a few words of each page tells noise. */
    private static void addDamagedStrings(MemorySegment section, int offset, BitSet lost) {
        BtfHeader header = BtfHeader.read(section);
        long end = (long) header.strings() + header.stringsSize() - Long.BYTES;
        for (long at = header.strings(); at <= end; at += SAMPLE) {
            if ((section.get(ValueLayout.JAVA_LONG_UNALIGNED, at) & NOT_ASCII) != 0) {
                lost.set((int) ((at + offset) / BtfRecovery.PAGE));
            }
        }
    }

    /**
     * Reads the BTF of a module at a known place.
     *
     * @param memory by the addresses that {@code address} is one of
     * @param address where it begins, as {@code btf->data} of a {@code struct btf_module} says
     * @param size its bytes
     * @param kernel the types of the kernel
     * @throws dev.guestcore.MemoryAccessException if any of it is not in memory
     * @throws TypesException if there is something else, or if it is damaged
     */
    public static Btf moduleAt(GuestMemory memory, long address, long size, Btf kernel) {
        return Btf.readModule(section(memory, address, size), kernel);
    }

    private static MemorySegment section(GuestMemory memory, long address, long size) {
        MemorySegment section = allocate(address, size);
        memory.read(address, section);
        return section;
    }

    private static MemorySegment allocate(long address, long size) {
        if (size < BtfHeader.SIZE || size > BtfHeader.MOST_BYTES) {
            throw new TypesException("BTF at 0x" + Long.toHexString(address) + ": expected " + BtfHeader.SIZE + " to "
                    + BtfHeader.MOST_BYTES + " bytes, found " + Long.toUnsignedString(size));
        }
        return Arena.ofAuto().allocate(size);
    }

    /**
     * Searches for kernels' BTF, the largest first. There may be several: copies, and kernels that ran before or run inside.
     * Damaged ones and those of modules are passed over.
     *
     * @param memory by physical address, in which a kernel's image is contiguous
     * @param range where to look
     */
    public static Stream<Place> search(GuestMemory memory, AddressRange range) {
        BtfFinder finder = new BtfFinder(memory);
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent()) {
                region.range().intersection(range).ifPresent(finder::scan);
            }
        }
        finder.candidates.sort(
                Comparator.comparingLong(Candidate::size).reversed().thenComparingLong(Candidate::address));
        return finder.candidates.stream().flatMap(candidate -> finder.read(candidate).stream());
    }

    private void scan(AddressRange range) {
        long at = range.first();
        MemorySegment chunk = MemorySegment.ofArray(new byte[CHUNK + HEAD]);
        while (true) {
            PageRun run = memory.contentRunAt(at);
            long left = minUnsigned(run.range().last(), range.last()) - at;
            long size = Long.compareUnsigned(left, CHUNK - 1) < 0 ? left + 1 : CHUNK;
            if (run.state() == PageState.PRESENT) {
                // A header may begin in this chunk and end in the next.
                long got = memory.readAvailable(at, chunk.asSlice(0, size + HEAD));
                scan(at, chunk, size, got);
            } else {
                size = left + 1;
            }
            if (Long.compareUnsigned(range.last() - at, size) < 0 || size == 0) {
                return;
            }
            at += size;
        }
    }

    private static long minUnsigned(long one, long other) {
        return Long.compareUnsigned(one, other) < 0 ? one : other;
    }

    private void scan(long address, MemorySegment chunk, long size, long readable) {
        byte[] bytes = (byte[]) chunk.heapBase().orElseThrow();
        byte first = BtfHeader.MAGIC[0];
        byte second = BtfHeader.MAGIC[1];
        int last = (int) Math.min(size, readable - BtfHeader.SIZE + 1);
        for (int i = 0; i < last; i++) {
            if (bytes[i] == first && bytes[i + 1] == second || bytes[i] == second && bytes[i + 1] == first) {
                MemorySegment head = chunk.asSlice(i, Math.min(HEAD, readable - i));
                if (BtfHeader.looksRight(head) && candidates.size() < MOST_CANDIDATES) {
                    candidates.add(new Candidate(address + i, BtfHeader.sectionSize(head)));
                }
            }
        }
    }

    private Optional<Place> read(Candidate candidate) {
        long size = candidate.size();
        if (size < BtfHeader.SIZE || size > BtfHeader.MOST_BYTES) {
            return Optional.empty();
        }
        MemorySegment section = Arena.ofAuto().allocate(size);
        if (memory.readAvailable(candidate.address(), section) < size) {
            return Optional.empty();
        }
        try {
            BtfHeader header = BtfHeader.read(section);
            long lastString = (long) header.strings() + header.stringsSize() - 1;
            if (section.get(ValueLayout.JAVA_BYTE, header.strings()) != 0
                    || section.get(ValueLayout.JAVA_BYTE, lastString) != 0) {
                return Optional.empty();
            }
            Btf types = Btf.read(section);
            boolean kernel = types.find(WITNESS).filter(type -> type.size() > 0).isPresent();
            return kernel ? Optional.of(new Place(candidate.address(), types)) : Optional.empty();
        } catch (TypesException _) {
            return Optional.empty();
        }
    }
}

package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.error.CancelledException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.AbstractList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.RandomAccess;
import java.util.Set;
import java.util.function.LongUnaryOperator;

/** Regions, contents and guests that exist for tests only. */
final class MadeUp {

    static final long KIB = 1L << 10;
    static final long MIB = 1L << 20;
    static final long GIB = 1L << 30;
    static final long TIB = 1L << 40;

    private MadeUp() {}

    static MemoryRegion ram(long first, long size) {
        return new MemoryRegion(AddressRange.ofSize(first, size), MemoryRegion.Kind.RAM, "ram");
    }

    static MemoryRegion region(long first, long size, MemoryRegion.Kind kind, String name) {
        return new MemoryRegion(AddressRange.ofSize(first, size), kind, name);
    }

    /** Each page filled with one number, given the number of the page within the region. */
    static RegionContents pages(LongUnaryOperator valueOfPage) {
        return failing(valueOfPage, Set.of());
    }

    /** The same, but some pages give an error only when they are read. */
    static RegionContents failing(LongUnaryOperator valueOfPage, Set<Long> failingPages) {
        return (offset, target) -> {
            long done = 0;
            while (done < target.byteSize()) {
                long page = offset + done >>> Pages.SHIFT;
                if (failingPages.contains(page)) {
                    return done;
                }
                long size = Math.min(target.byteSize() - done, Pages.SIZE - (offset + done & Pages.OFFSET_MASK));
                long value = valueOfPage.applyAsLong(page);
                for (long i = done; i < done + size; i++) {
                    int shift = (int) (offset + i & 7) * 8;
                    target.set(ValueLayout.JAVA_BYTE, i, (byte) (value >>> shift));
                }
                done += size;
            }
            return done;
        };
    }

    /** Bytes of which only the first so many are there; the rest is in another state. */
    static RegionContents cut(byte[] bytes, PageState state) {
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                if (offset >= bytes.length) {
                    return 0;
                }
                long length = Math.min(target.byteSize(), bytes.length - offset);
                MemorySegment.copy(MemorySegment.ofArray(bytes), offset, target, 0, length);
                return length;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return offset < bytes.length
                        ? new Run(PageState.PRESENT, Math.min(remaining, bytes.length - offset))
                        : new Run(state, remaining);
            }
        };
    }

    /** A region that is in one unreadable state. */
    static RegionContents in(PageState state) {
        return cut(new byte[0], state);
    }

    /** The PC that the golden map shows. */
    static Guest pc() {
        return Guest.builder()
                .region(region(0, 640 * KIB, MemoryRegion.Kind.RAM, "low RAM"), RegionContents.zeros())
                .device(0xa0000, 128 * KIB, "VGA")
                .region(region(0xf0000, 64 * KIB, MemoryRegion.Kind.ROM, "BIOS"), pages(page -> page + 1))
                .region(region(MIB, 63 * MIB, MemoryRegion.Kind.RAM, "RAM"), pages(page -> page % 2))
                .device(0xfec00000L, 4 * KIB, "I/O APIC")
                .device(0xfed00000L, KIB, "HPET")
                .device(0xfee00000L, 4 * KIB, "local APIC")
                .region(region(0xffff0000L, 64 * KIB, MemoryRegion.Kind.ROM, "BIOS <alias> & \u001b[31mred"),
                        pages(page -> page + 1))
                .region(region(4 * GIB, 8 * MIB, MemoryRegion.Kind.RAM, "high RAM"), in(PageState.EXCLUDED))
                .build();
    }

    /** Counts what it is told and stops the operation at some point. */
    static final class Counting implements Progress {

        private final long stopAt;
        long total;
        long done;

        Counting(long stopAt) {
            this.stopAt = stopAt;
        }

        @Override
        public void begin(String phase, long totalBytes) {
            total = totalBytes;
        }

        @Override
        public void advance(long bytes) {
            done += bytes;
            if (done >= stopAt) {
                throw new CancelledException();
            }
        }
    }

    /** A memory of very many regions of one page each, with a gap behind each, that takes no memory itself. */
    record ManyRegions(int count, long distance, RegionContents contents) implements GuestMemory {

        @Override
        public List<MemoryRegion> regions() {
            return new Regions(count, distance);
        }

        @Override
        public Optional<MemoryRegion> regionAt(long address) {
            return isCovered(address) ? Optional.of(regions().get((int) (address / distance))) : Optional.empty();
        }

        private boolean isCovered(long address) {
            return Long.compareUnsigned(address, count * distance) < 0 && address % distance < Pages.SIZE;
        }

        @Override
        public PageRun runAt(long address) {
            if (isCovered(address)) {
                long left = Pages.SIZE - address % distance;
                RegionContents.Run run = contents.runAt(address % distance, left);
                return new PageRun(AddressRange.ofSize(address, run.size()), run.state());
            }
            boolean behind = Long.compareUnsigned(address, count * distance - distance) > 0;
            long last = behind ? -1L : (address / distance + 1) * distance - 1;
            return new PageRun(new AddressRange(address, last), PageState.ABSENT);
        }

        @Override
        public long readAvailable(long address, MemorySegment target) {
            if (!isCovered(address)) {
                return 0;
            }
            long length = Math.min(target.byteSize(), Pages.SIZE - address % distance);
            return contents.readAvailable(address % distance, target.asSlice(0, length));
        }
    }

    private static final class Regions extends AbstractList<MemoryRegion> implements RandomAccess {

        private final int count;
        private final long distance;

        Regions(int count, long distance) {
            this.count = count;
            this.distance = distance;
        }

        @Override
        public MemoryRegion get(int index) {
            return ram(Objects.checkIndex(index, count) * distance, Pages.SIZE);
        }

        @Override
        public int size() {
            return count;
        }
    }
}

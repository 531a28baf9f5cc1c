package dev.guestcore.linux.symbols;

import java.util.BitSet;
import java.util.Comparator;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The addresses in kallsyms. Where they stand and which form they have depends on the version and configuration of Linux; all
 * forms are tried, and only the right one gives addresses that ascend, as the kernel itself needs them.
 *
 * @param form how they are noted
 * @param addresses decoded
 * @param lost which of them are not known, because memory is damaged or missing there
 * @param isPhysical whether they are guest-physical
 * @param fixed how many of the first ones are no physical addresses, but offsets of per-CPU variables and the like
 */
record AddressTable(AddressForm form, long[] addresses, BitSet lost, boolean isPhysical, int fixed) {

    /** A kernel's image with all that belongs to it lies within this distance. */
    private static final long NEAR = 1L << 30;

    /** The top byte of all addresses of a kernel, whatever the number of its page-table levels. */
    private static final long KERNEL = 0xff;

    /** Stands for a base that is lost. */
    private static final long NO_BASE = 0xffff_8000_0000_0000L;

    /** Of a damaged table at least so many of eight addresses must ascend. */
    private static final int LEAST_GOOD = 6;

    private static final int EIGHTS = 8;

    /**
     * Finds the addresses of a table.
     *
     * @param window memory before the tokens
     * @param behind memory behind the tokens, where the addresses stand in newer kernels
     * @param tokens the table of tokens
     * @param number where the number of symbols stands, behind the addresses in older kernels
     * @param count that number
     */
    static Optional<AddressTable> find(
            PhysicalWindow window, PhysicalWindow behind, TokenTable tokens, long number, int count) {
        return candidates(window, behind, tokens, number, count)
                .flatMap(Stream::ofNullable)
                .map(Candidate::whole)
                .flatMap(Stream::ofNullable)
                .findFirst();
    }

    /** The same of a table of which a part is damaged: the form in which most addresses ascend, if these are enough. */
    static Optional<AddressTable> findDamaged(
            PhysicalWindow window, PhysicalWindow behind, TokenTable tokens, long number, int count) {
        return candidates(window, behind, tokens, number, count)
                .flatMap(Stream::ofNullable)
                .map(Candidate::damaged)
                .filter(table -> (long) table.lost.cardinality() * EIGHTS <= (long) count * (EIGHTS - LEAST_GOOD))
                .min(Comparator.comparingInt(table -> table.lost.cardinality()));
    }

    /**
     * The same where the base is lost to which all are relative.
     *
     * @return tables whose addresses {@link #at} moves to where they are
     */
    static Stream<AddressTable> findWithoutBase(
            PhysicalWindow window, PhysicalWindow behind, TokenTable tokens, long number, int count) {
        return IntStream.of(Long.BYTES, Integer.BYTES)
                .boxed()
                .flatMap(alignment -> {
                    long bytes = align((long) count * Integer.BYTES, alignment);
                    return Stream.of(
                            distances(window, number - Long.BYTES - bytes, count),
                            distances(behind, align(tokens.end(), alignment), count));
                })
                .flatMap(Stream::ofNullable)
                .map(Candidate::damaged)
                .filter(table -> (long) table.lost.cardinality() * EIGHTS <= (long) count * (EIGHTS - LEAST_GOOD));
    }

    private static @Nullable Candidate distances(PhysicalWindow window, long offsets, int count) {
        return window.contains(offsets, (long) count * Integer.BYTES) ? decoded(window, offsets, NO_BASE, count) : null;
    }

    /** How far behind the base an address lies that {@link #findWithoutBase} gave. */
    long distance(int symbol) {
        return addresses[symbol] - NO_BASE;
    }

    /** These addresses, which count from a base that is lost, as guest-physical ones. */
    AddressTable at(long physicalBase) {
        long[] moved = addresses.clone();
        int fixed = moved.length;
        for (int i = moved.length - 1; i >= 0; i--) {
            if (moved[i] < 0) {
                moved[i] += physicalBase - NO_BASE;
                fixed = lost.get(i) ? fixed : i;
            }
        }
        return new AddressTable(form, moved, lost, true, fixed);
    }

    private static Stream<@Nullable Candidate> candidates(
            PhysicalWindow window, PhysicalWindow behind, TokenTable tokens, long number, int count) {
        return Stream.concat(
                IntStream.of(Long.BYTES, Integer.BYTES)
                        .boxed()
                        .flatMap(alignment -> aligned(window, behind, tokens, number, count, alignment)),
                Stream.<Supplier<@Nullable Candidate>>of(() -> placeRelative(behind, tokens, count)))
                .map(Supplier::get);
    }

    private static Stream<Supplier<@Nullable Candidate>> aligned(
            PhysicalWindow window,
            PhysicalWindow behind,
            TokenTable tokens,
            long number,
            int count,
            int alignment) {
        long next = align(tokens.end(), alignment);
        long offsetBytes = align((long) count * Integer.BYTES, alignment);
        long base = number - Long.BYTES;
        return Stream.of(
                () -> relative(window, base - offsetBytes, base, count),
                () -> relative(behind, next, next + offsetBytes, count),
                () -> absolute(window, number - (long) count * Long.BYTES, count),
                () -> absolute(behind, next, count));
    }

    private static long align(long address, int alignment) {
        return address + alignment - 1 & -alignment;
    }

    private static boolean isKernel(long address) {
        return address >>> Long.SIZE - Byte.SIZE == KERNEL;
    }

    private static @Nullable Candidate relative(PhysicalWindow window, long offsets, long base, int count) {
        if (!window.contains(offsets, (long) count * Integer.BYTES)
                || !window.contains(base, Long.BYTES)
                || !isKernel(window.longAt(base))) {
            return null;
        }
        return decoded(window, offsets, window.longAt(base), count);
    }

    private static Candidate decoded(PhysicalWindow window, long offsets, long start, int count) {
        int negative = 0;
        for (int i = 0; i < count; i++) {
            negative += window.intAt(offsets + (long) i * Integer.BYTES) < 0 ? 1 : 0;
        }
        AddressForm form = negative > count / 2 ? AddressForm.ABSOLUTE_PERCPU : AddressForm.BASE_RELATIVE;
        long[] addresses = new long[count];
        for (int i = 0; i < count; i++) {
            int offset = window.intAt(offsets + (long) i * Integer.BYTES);
            addresses[i] = form == AddressForm.BASE_RELATIVE
                    ? start + Integer.toUnsignedLong(offset)
                    : offset >= 0 ? offset : start - 1 - offset;
        }
        return new Candidate(form, window, offsets, Integer.BYTES, addresses);
    }

    private static @Nullable Candidate absolute(PhysicalWindow window, long at, int count) {
        if (!window.contains(at, (long) count * Long.BYTES)) {
            return null;
        }
        long[] addresses = new long[count];
        int inKernel = 0;
        for (int i = 0; i < count; i++) {
            addresses[i] = window.longAt(at + (long) i * Long.BYTES);
            inKernel += isKernel(addresses[i]) ? 1 : 0;
        }
        return inKernel > count / 2 ? new Candidate(AddressForm.ABSOLUTE, window, at, Long.BYTES, addresses) : null;
    }

    private static @Nullable Candidate placeRelative(PhysicalWindow window, TokenTable tokens, int count) {
        long at = tokens.end();
        if (!window.contains(at, (long) count * Integer.BYTES)) {
            return null;
        }
        long[] addresses = new long[count];
        for (int i = 0; i < count; i++) {
            long place = at + (long) i * Integer.BYTES;
            addresses[i] = place + window.intAt(place);
        }
        return new Candidate(AddressForm.PLACE_RELATIVE, window, at, Integer.BYTES, addresses);
    }

    /** Addresses that were decoded as if they had this form and stood at this place. */
    private record Candidate(AddressForm form, PhysicalWindow window, long at, int width, long[] addresses) {

        /** The table, if nothing in it is damaged. */
        @Nullable
        AddressTable whole() {
            BitSet none = new BitSet();
            boolean ascend = addresses[0] != addresses[addresses.length - 1];
            for (int i = 1; i < addresses.length; i++) {
                ascend &= Long.compareUnsigned(addresses[i - 1], addresses[i]) <= 0;
            }
            return ascend && surround(none) && !hasLostPage() ? table(none) : null;
        }

        private AddressTable table(BitSet lost) {
            return new AddressTable(form, addresses, lost, form == AddressForm.PLACE_RELATIVE, 0);
        }

        private boolean hasLostPage() {
            for (long page = at & -PhysicalWindow.PAGE; page < end(); page += PhysicalWindow.PAGE) {
                if (window.isLost(page)) {
                    return true;
                }
            }
            return false;
        }

        private long end() {
            return at + (long) addresses.length * width;
        }

        /** The table without the pages in which an address does not ascend from those around. */
        AddressTable damaged() {
            BitSet lost = new BitSet(addresses.length);
            for (long page = at & -PhysicalWindow.PAGE; page < end(); page += PhysicalWindow.PAGE) {
                if (window.isLost(page)) {
                    lose(page, lost);
                }
            }
            BitSet ascending = longestAscending(lost);
            for (int i = lost.nextClearBit(0); i < addresses.length; i = lost.nextClearBit(i + 1)) {
                if (!ascending.get(i)) {
                    lose(at + (long) i * width & -PhysicalWindow.PAGE, lost);
                }
            }
            if (!surround(lost)) {
                lost.set(0, addresses.length);
            }
            return table(lost);
        }

        private void lose(long page, BitSet lost) {
            long first = Math.max(0, Math.ceilDiv(page - at - width + 1, width));
            long end = Math.min(addresses.length, Math.ceilDiv(page + PhysicalWindow.PAGE - at, width));
            if (first < end) {
                lost.set((int) first, (int) end);
            }
        }

        /** Places that are relative lead to an image around them. */
        private boolean surround(BitSet lost) {
            int first = lost.nextClearBit(0);
            int last = lost.previousClearBit(addresses.length - 1);
            return form != AddressForm.PLACE_RELATIVE
                    || first < addresses.length
                            && Math.abs(addresses[first] - at) < NEAR
                            && Math.abs(addresses[last] - at) < NEAR
                            && addresses[first] >= 0
                            && addresses[first] < at;
        }

        /** The most addresses of which none is lower than one before (patience sorting). */
        private BitSet longestAscending(BitSet without) {
            int[] ends = new int[addresses.length];
            int[] before = new int[addresses.length];
            int length = 0;
            for (int i = without.nextClearBit(0); i < addresses.length; i = without.nextClearBit(i + 1)) {
                int low = 0;
                int high = length;
                while (low < high) {
                    int middle = low + high >>> 1;
                    if (Long.compareUnsigned(addresses[ends[middle]], addresses[i]) <= 0) {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                before[i] = low > 0 ? ends[low - 1] : -1;
                ends[low] = i;
                length = Math.max(length, low + 1);
            }
            BitSet chosen = new BitSet(addresses.length);
            for (int i = length > 0 ? ends[length - 1] : -1; i >= 0; i = before[i]) {
                chosen.set(i);
            }
            return chosen;
        }
    }
}

package dev.guestcore.linux.symbols;

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
 * @param addresses decoded; guest-physical if they are relative to their place, otherwise virtual
 */
record AddressTable(AddressForm form, long[] addresses) {

    /** A kernel's image with all that belongs to it lies within this distance. */
    private static final long NEAR = 1L << 30;

    /** The top byte of all addresses of a kernel, whatever the number of its page-table levels. */
    private static final long KERNEL = 0xff;

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
        return Stream.concat(
                        IntStream.of(Long.BYTES, Integer.BYTES)
                                .boxed()
                                .flatMap(alignment -> aligned(window, behind, tokens, number, count, alignment)),
                        Stream.<Supplier<@Nullable AddressTable>>of(() -> placeRelative(behind, tokens, count)))
                .map(Supplier::get)
                .flatMap(Stream::ofNullable)
                .findFirst();
    }

    private static Stream<Supplier<@Nullable AddressTable>> aligned(
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

    private static @Nullable AddressTable relative(PhysicalWindow window, long offsets, long base, int count) {
        if (!window.contains(offsets, (long) count * Integer.BYTES)
                || !window.contains(base, Long.BYTES)
                || !isKernel(window.longAt(base))) {
            return null;
        }
        int negative = 0;
        for (int i = 0; i < count; i++) {
            negative += window.intAt(offsets + (long) i * Integer.BYTES) < 0 ? 1 : 0;
        }
        AddressForm form = negative > count / 2 ? AddressForm.ABSOLUTE_PERCPU : AddressForm.BASE_RELATIVE;
        long start = window.longAt(base);
        long[] addresses = new long[count];
        for (int i = 0; i < count; i++) {
            int offset = window.intAt(offsets + (long) i * Integer.BYTES);
            addresses[i] = form == AddressForm.BASE_RELATIVE
                    ? start + Integer.toUnsignedLong(offset)
                    : offset >= 0 ? offset : start - 1 - offset;
        }
        return ascend(addresses) ? new AddressTable(form, addresses) : null;
    }

    private static @Nullable AddressTable absolute(PhysicalWindow window, long at, int count) {
        if (!window.contains(at, (long) count * Long.BYTES)) {
            return null;
        }
        long[] addresses = new long[count];
        int inKernel = 0;
        for (int i = 0; i < count; i++) {
            addresses[i] = window.longAt(at + (long) i * Long.BYTES);
            inKernel += isKernel(addresses[i]) ? 1 : 0;
        }
        return inKernel > count / 2 && ascend(addresses) ? new AddressTable(AddressForm.ABSOLUTE, addresses) : null;
    }

    private static @Nullable AddressTable placeRelative(PhysicalWindow window, TokenTable tokens, int count) {
        long at = tokens.end();
        if (!window.contains(at, (long) count * Integer.BYTES)) {
            return null;
        }
        long[] addresses = new long[count];
        for (int i = 0; i < count; i++) {
            long place = at + (long) i * Integer.BYTES;
            addresses[i] = place + window.intAt(place);
        }
        boolean surround = Math.abs(addresses[0] - at) < NEAR
                && Math.abs(addresses[count - 1] - at) < NEAR
                && addresses[0] >= 0
                && addresses[0] < at;
        return surround && ascend(addresses) ? new AddressTable(AddressForm.PLACE_RELATIVE, addresses) : null;
    }

    private static boolean ascend(long[] addresses) {
        for (int i = 1; i < addresses.length; i++) {
            if (Long.compareUnsigned(addresses[i - 1], addresses[i]) > 0) {
                return false;
            }
        }
        return addresses[0] != addresses[addresses.length - 1];
    }
}

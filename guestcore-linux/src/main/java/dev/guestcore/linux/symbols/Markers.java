package dev.guestcore.linux.symbols;

import java.util.Optional;

/**
 * Numbers that may be the markers of kallsyms: where every 256th name begins. They begin with 0 and grow by what 256 names
 * take. Since Linux 4.20 they are 32 bits wide, before 64.
 */
final class Markers {

    private static final int LEAST_STEP = 2 * NameTable.STEP;
    private static final int MOST_STEP = 128 * NameTable.STEP;
    private static final int LEAST = 3;

    private final PhysicalWindow window;
    private final long address;
    private final int width;
    private final int count;

    private Markers(PhysicalWindow window, long address, int width, int count) {
        this.window = window;
        this.address = address;
        this.width = width;
        this.count = count;
    }

    /** The numbers of this width that begin at an address, if they may be markers. */
    static Optional<Markers> at(PhysicalWindow window, long address, int width) {
        int most = NameTable.MOST_SYMBOLS / NameTable.STEP;
        long before = read(window, address, width);
        int count = before == 0 ? 1 : 0;
        while (count > 0 && count < most && window.contains(address + (long) count * width, width)) {
            long next = read(window, address + (long) count * width, width);
            if (!isStep(next - before)) {
                break;
            }
            before = next;
            count++;
        }
        return count >= LEAST ? Optional.of(new Markers(window, address, width, count)) : Optional.empty();
    }

    /** Whether one marker may lie so far behind the one before. */
    static boolean isStep(long distance) {
        return distance >= LEAST_STEP && distance <= MOST_STEP;
    }

    private static long read(PhysicalWindow window, long address, int width) {
        return width == Long.BYTES ? window.longAt(address) : Integer.toUnsignedLong(window.intAt(address));
    }

    long address() {
        return address;
    }

    /** How many numbers fit; the last few may be something else. */
    int count() {
        return count;
    }

    /** A marker; -1 where there is none. */
    long value(int index) {
        return index < count ? read(window, address + (long) index * width, width) : -1;
    }
}

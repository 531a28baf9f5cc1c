package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Looks for pages that may be the root of a kernel's page tables on x86-64, where no symbol names it: it lies in the image. Its last
 * entry leads to the image, another of the upper half to all memory, and no entry is a page.
 */
final class RootSearch {

    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 20;
    private static final int ENTRIES = 512;
    private static final int UPPER_HALF = 256;
    private static final int MOST = 256;
    private static final long ADDRESS_BITS = 0x000f_ffff_ffff_f000L;
    private static final long PRESENT_OR_LARGE = 0x81;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private RootSearch() {}

    /** Guest-physical addresses of at most {@value #MOST} such pages, no farther than so many bytes from a place. */
    static List<Long> near(GuestMemory memory, long place, long distance) {
        List<Long> roots = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate(CHUNK, PAGE);
            long end = place + distance;
            for (long at = Math.max(0, place - distance) & -CHUNK; at < end && roots.size() < MOST; at += CHUNK) {
                collect(memory, at, chunk, roots);
            }
        }
        return roots;
    }

    private static void collect(GuestMemory memory, long first, MemorySegment chunk, List<Long> roots) {
        long done = 0;
        while (done < CHUNK) {
            long read = memory.readAvailable(first + done, chunk.asSlice(done)) & -PAGE;
            for (long page = done; page < done + read && roots.size() < MOST; page += PAGE) {
                if (mayBeRoot(chunk.asSlice(page, PAGE))) {
                    roots.add(first + page);
                }
            }
            done += read + PAGE;
        }
    }

    private static boolean mayBeRoot(MemorySegment page) {
        if (!isTable(page.get(LONG, (ENTRIES - 1L) * Long.BYTES))) {
            return false;
        }
        int upper = 0;
        for (int i = 0; i < ENTRIES; i++) {
            long entry = page.get(LONG, (long) i * Long.BYTES);
            if (entry != 0 && !isTable(entry)) {
                return false;
            }
            upper += entry != 0 && i >= UPPER_HALF ? 1 : 0;
        }
        return upper > 1;
    }

    private static boolean isTable(long entry) {
        return (entry & PRESENT_OR_LARGE) == 1 && (entry & ADDRESS_BITS) != 0;
    }
}

package dev.guestcore.live.qemu;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A region of guest memory that lies in one piece in QEMU's process. */
final class ProcessContents implements RegionContents {

    private static final long PAGE = 4096;

    private final ProcessMemory process;
    private final long address;

    /**
     * Creates the contents.
     *
     * @param process QEMU
     * @param address where the region starts in QEMU's process
     */
    ProcessContents(ProcessMemory process, long address) {
        this.process = process;
        this.address = address;
    }

    @Override
    public long readAvailable(long offset, MemorySegment target) {
        return process.read(address + offset, target);
    }

    /** Only a page that is asked for is tried: which pages fail is not known before, and may change. */
    @Override
    public Run runAt(long offset, long remaining) {
        try (Arena arena = Arena.ofConfined()) {
            if (process.read(address + offset, arena.allocate(1)) == 1) {
                return new Run(PageState.PRESENT, remaining);
            }
        }
        long toPageEnd = PAGE - (address + offset & PAGE - 1);
        // Negative is unsigned here: a region may be longer than 2^63 bytes.
        return new Run(PageState.UNREADABLE, remaining < 0 ? toPageEnd : Math.min(toPageEnd, remaining));
    }
}

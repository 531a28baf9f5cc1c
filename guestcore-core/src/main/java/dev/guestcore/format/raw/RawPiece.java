package dev.guestcore.format.raw;

import dev.guestcore.AddressRange;
import dev.guestcore.PageRun;
import dev.guestcore.RegionContents;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** A whole file as one piece of memory. */
final class RawPiece implements RegionContents {

    private final AddressRange range;
    private final FileMemory memory;

    /**
     * Puts a file at an address.
     *
     * @param arena how long the table of its one range lives
     * @throws SourceException if the file is empty, or would pass 2^64
     */
    RawPiece(FileBytes file, long base, Arena arena) {
        if (file.size() == 0) {
            throw new SourceException(file.name() + ": is empty; there is no memory in it");
        }
        long last = base + (file.size() - 1);
        if (Long.compareUnsigned(last, base) < 0) {
            throw new SourceException(file.name() + ": " + file.size() + " bytes at base 0x" + Long.toHexString(base)
                    + " would pass 2^64; choose a lower base");
        }
        Extents.Builder one = new Extents.Builder(arena);
        one.add(base, last, 0);
        this.range = new AddressRange(base, last);
        this.memory = new FileMemory(file, one.build());
    }

    AddressRange range() {
        return range;
    }

    FileMemory memory() {
        return memory;
    }

    @Override
    public Run runAt(long offset, long remaining) {
        return run(memory.runAt(range.first() + offset), remaining);
    }

    @Override
    public Run contentRunAt(long offset, long remaining) {
        return run(memory.contentRunAt(range.first() + offset), remaining);
    }

    private static Run run(PageRun run, long remaining) {
        return new Run(run.state(), Math.min(remaining, run.range().last() - run.range().first() + 1));
    }

    @Override
    public long readAvailable(long offset, MemorySegment target) {
        return memory.readAvailable(range.first() + offset, target);
    }

    @Override
    public Optional<MemorySegment> view(long offset, long size) {
        return memory.view(range.first() + offset, size);
    }
}

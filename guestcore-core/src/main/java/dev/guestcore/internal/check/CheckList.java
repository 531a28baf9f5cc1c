package dev.guestcore.internal.check;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.format.Check;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** Collects the checks of one file. Not thread-safe. */
public final class CheckList {

    private static final int CHUNK = 1 << 20;

    private final String source;
    private final List<Check> checks = new ArrayList<>();

    /**
     * Begins a list.
     *
     * @param source the documentation that the rules come from
     */
    public CheckList(String source) {
        this.source = source;
    }

    /** A check that was made elsewhere. */
    public void add(Check check) {
        checks.add(check);
    }

    /** A rule that is kept. */
    public void pass(String id, String rule, String found) {
        add(id, rule, Check.Result.PASS, OptionalLong.empty(), "", found, "");
    }

    /** A rule that is kept or broken. */
    public void check(
            boolean kept, String id, String rule, long offset, String expected, String found, String readers) {
        Check.Result result = kept ? Check.Result.PASS : Check.Result.FAIL;
        add(id, rule, result, OptionalLong.of(offset), expected, found, kept ? "" : readers);
    }

    /** Something usual, or unusual but allowed. */
    public void usual(boolean usual, String id, String rule, long offset, String expected, String found,
            String readers) {
        Check.Result result = usual ? Check.Result.PASS : Check.Result.NOTE;
        add(id, rule, result, OptionalLong.of(offset), expected, found, usual ? "" : readers);
    }

    /** A rule that could not be tried. */
    public void skip(String id, String rule, String why) {
        add(id, rule, Check.Result.SKIPPED, OptionalLong.empty(), "", why, "");
    }

    private void add(
            String id,
            String rule,
            Check.Result result,
            OptionalLong offset,
            String expected,
            String found,
            String readers) {
        checks.add(new Check(id, rule, source, result, offset, expected, found, readers));
    }

    /** Reads all memory that should be readable, and checks that it is. */
    public void readAll(String id, GuestMemory memory, Progress progress) {
        long total = 0;
        for (MemoryRegion region : memory.regions()) {
            total += region.hasContent() ? region.range().last() - region.range().first() + 1 : 0;
        }
        progress.begin("reading memory", total);
        MemorySegment buffer = Arena.ofAuto().allocate(CHUNK);
        long lost = 0;
        long firstLost = 0;
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            long address = region.range().first();
            while (true) {
                PageRun run = memory.contentRunAt(address);
                AddressRange rest = new AddressRange(address, region.range().last());
                AddressRange range = run.range().intersection(rest).orElseThrow();
                long size = Math.clamp(range.last() - address + 1, 1, CHUNK);
                boolean present = run.state() == PageState.PRESENT;
                long done = present ? memory.readAvailable(address, buffer.asSlice(0, size)) : 0;
                boolean meantToBeRead = present || run.state() == PageState.UNREADABLE;
                if (present) {
                    size = done > 0 ? done : Math.min(size, 4096 - (address & 4095));
                } else {
                    size = range.last() - address + 1;
                }
                if (meantToBeRead && done == 0) {
                    firstLost = lost == 0 ? address : firstLost;
                    lost += size;
                }
                progress.advance(size);
                if (address + (size - 1) == region.range().last()) {
                    break;
                }
                address += size;
            }
        }
        add(id, "all memory can be read", lost == 0 ? Check.Result.PASS : Check.Result.FAIL, OptionalLong.empty(),
                "0 bytes lost", lost == 0 ? "0 bytes lost" : lost + " bytes lost, first at guest-physical address 0x"
                        + Long.toHexString(firstLost),
                "");
    }

    /** The checks, in the order in which they were made. */
    public List<Check> list() {
        return List.copyOf(checks);
    }
}

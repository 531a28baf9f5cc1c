package dev.guestcore.source.qemu;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.internal.migration.RamBlock;
import dev.guestcore.source.MemoryPlacer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Stores each page where it is going to stay, as it comes. What shows at several addresses is stored for each of them. */
final class PlacedPages implements SnapshotPages {

    private static final long TOLD_AT_ONCE = 1L << 20;

    private final List<FlatView.Mapping> mappings;
    private final MemoryPlacer placer;
    private final Progress progress;
    private final MemorySegment filled = Arena.ofAuto().allocate(PAGE_SIZE, PAGE_SIZE);

    /** By block, what shows it. */
    private final List<List<FlatView.Mapping>> shown = new ArrayList<>();

    private long untold;

    /** Stores memory of {@code mappings}. */
    PlacedPages(List<FlatView.Mapping> mappings, MemoryPlacer placer, Progress progress) {
        this.mappings = mappings;
        this.placer = placer;
        this.progress = progress;
    }

    @Override
    public void block(RamBlock block) {
        shown.add(mappings.stream()
                .filter(mapping -> mapping.region().hasContent()
                        && mapping.offset() % PAGE_SIZE == 0
                        && Snapshot.isCalled(block.name(), mapping.region()))
                .toList());
    }

    @Override
    public void page(RamBlock block, long offset, MemorySegment page, long position) {
        for (FlatView.Mapping mapping : shown.get(block.index())) {
            if (shows(mapping, offset)) {
                placer.put(address(mapping, offset), page);
            }
        }
        tell();
    }

    @Override
    public void fill(RamBlock block, long offset, byte value) {
        for (FlatView.Mapping mapping : shown.get(block.index())) {
            if (!shows(mapping, offset)) {
                continue;
            }
            if (value == 0) {
                placer.putZeros(address(mapping, offset));
            } else {
                placer.put(address(mapping, offset), filled.fill(value));
            }
        }
        tell();
    }

    private static boolean shows(FlatView.Mapping mapping, long offset) {
        AddressRange range = mapping.region().range();
        long inRegion = offset - mapping.offset();
        return inRegion >= 0 && inRegion <= range.last() - range.first();
    }

    private static long address(FlatView.Mapping mapping, long offset) {
        return mapping.region().range().first() + (offset - mapping.offset());
    }

    /** Read and written. */
    private void tell() {
        untold += 2 * PAGE_SIZE;
        if (untold >= TOLD_AT_ONCE) {
            progress.advance(untold);
            untold = 0;
        }
    }

    @Override
    public void complete() {
        progress.advance(untold);
        untold = 0;
    }

    @Override
    public RegionContents contents(MemoryRegion region, RamBlock block, long start) {
        return placer.contents(region);
    }

    @Override
    public void close() {
        placer.close();
    }
}

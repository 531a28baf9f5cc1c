package dev.guestcore.format.vbox;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import java.util.List;

/**
 * The ranges to write, in order: the guest's regions one by one, as VirtualBox does, or, where those are too many,
 * adjacent ones of one kind as one. Nothing is copied.
 */
final class WrittenRanges {

    /** As many ranges as VirtualBox writes (section 3). */
    static final int MOST = 65534;

    private final List<MemoryRegion> regions;
    private final boolean merges;
    private final long count;

    /** Takes the regions of a guest. */
    WrittenRanges(List<MemoryRegion> regions) {
        this.regions = regions;
        this.merges = regions.size() > MOST;
        long[] ranges = {0};
        visit((range, isDevice) -> ranges[0]++);
        this.count = ranges[0];
    }

    /** Gets the ranges in order. */
    @FunctionalInterface
    interface Visitor {
        /** One range. */
        void visit(AddressRange range, boolean isDevice);
    }

    /** Number of ranges. */
    long count() {
        return count;
    }

    /** Whether some of the regions were put together. */
    boolean isMerged() {
        return count < regions.size();
    }

    /** Shows all ranges. */
    void visit(Visitor visitor) {
        AddressRange pending = null;
        MemoryRegion.Kind kind = MemoryRegion.Kind.RAM;
        for (MemoryRegion region : regions) {
            if (pending != null && merges && region.kind() == kind && pending.isFollowedBy(region.range())) {
                pending = new AddressRange(pending.first(), region.range().last());
                continue;
            }
            if (pending != null) {
                visitor.visit(pending, kind == MemoryRegion.Kind.DEVICE);
            }
            pending = region.range();
            kind = region.kind();
        }
        if (pending != null) {
            visitor.visit(pending, kind == MemoryRegion.Kind.DEVICE);
        }
    }
}

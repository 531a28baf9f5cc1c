package dev.guestcore.address;

import dev.guestcore.AddressRange;
import dev.guestcore.cpu.PageRights;
import java.util.function.Consumer;

/** Joins neighbouring ranges of the same rights and page size. Not thread-safe. */
final class MappingCollector implements TableWalk.Visitor {

    private final PhysicalAddress.Space space;
    private final Consumer<Mapping> consumer;

    private boolean pending;
    private long first;
    private long last;
    private long physical;
    private int pageShift;
    private int rights;
    private boolean contiguous;

    MappingCollector(PhysicalAddress.Space space, Consumer<Mapping> consumer) {
        this.space = space;
        this.consumer = consumer;
    }

    @Override
    public void pages(
            long nextFirst, long size, long nextPhysical, int nextShift, int nextRights, TableWalk.Layout layout) {
        if (pending && last + 1 == nextFirst && pageShift == nextShift && rights == nextRights) {
            contiguous &= layout == TableWalk.Layout.CONTIGUOUS && nextPhysical == physical + (nextFirst - first);
            last = nextFirst + size - 1;
            return;
        }
        flush();
        pending = true;
        first = nextFirst;
        last = nextFirst + size - 1;
        physical = nextPhysical;
        pageShift = nextShift;
        rights = nextRights;
        contiguous = layout == TableWalk.Layout.CONTIGUOUS;
    }

    void flush() {
        if (pending) {
            pending = false;
            consumer.accept(new Mapping(
                    new AddressRange(first, last),
                    PageRights.ofBits(rights),
                    1L << pageShift,
                    new PhysicalAddress(space, physical),
                    contiguous));
        }
    }
}

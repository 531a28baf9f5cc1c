package dev.guestcore.internal.writer;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.format.WritePlan;
import dev.guestcore.internal.freeze.AnonymousMemory;
import dev.guestcore.internal.freeze.PageStates;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.kernel.VmcoreInfo;
import dev.guestcore.source.MemoryPlacer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.function.LongConsumer;

/**
 * Puts memory into the file of a core before the rest of the core is known: the format's plan for an outline of the guest says
 * where. Later the guest, whose memory is that file, is planned and written as always, and what stands in its place already is
 * passed over. One thread puts; several may read afterwards.
 */
public final class PlacedMemory implements MemoryPlacer, OutputFile.StoredMemory {

    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int GATHERED = 1 << 20;
    /** A guest can fill its memory with what looks like one. */
    private static final int MOST_LANDMARKS = 4096;

    private final OutputFile output;
    private final CoreWriter writer;
    private final MemorySegment zeroPage = Arena.ofAuto().allocate(PAGE, PAGE);
    private final MemorySegment gathered = Arena.ofAuto().allocate(GATHERED, PAGE);
    private final List<Slot> slots = new ArrayList<>();
    private final NavigableSet<Long> landmarks = new TreeSet<>(Long::compareUnsigned);
    private int current;
    private long gatheredOffset;
    private int gatheredSize;

    /** A place, and the states of its pages. */
    private record Slot(AddressRange range, long offset, PageStates states) {}

    /** Memory for a file that nothing was written to. */
    public PlacedMemory(OutputFile output, CoreWriter writer) {
        this.output = output;
        this.writer = writer;
    }

    @Override
    public boolean begin(Guest outline) {
        close();
        landmarks.clear();
        gatheredSize = 0;
        output.place(this);
        if (!AnonymousMemory.isSupported()) {
            return false;
        }
        WritePlan plan;
        try {
            plan = writer.plan(outline);
        } catch (UnsupportedRequestException e) {
            // It is told when the guest itself is planned.
            return false;
        }
        List<MemoryPlace> places = new ArrayList<>(plan.memoryPlaces());
        places.sort(Comparator.comparing(MemoryPlace::range));
        if (places.isEmpty() || !areWhole(outline, places)) {
            return false;
        }
        output.requireLength(plan.size());
        for (MemoryPlace place : places) {
            PageStates states = new PageStates(place.range().size());
            states.set(0, place.range().size(), PageState.ZERO);
            slots.add(new Slot(place.range(), place.offset(), states));
        }
        return true;
    }

    /** Whether every region with content consists of whole pages and lies within one place. */
    private static boolean areWhole(Guest outline, List<MemoryPlace> places) {
        for (MemoryRegion region : outline.memory().regions()) {
            AddressRange range = region.range();
            boolean whole = (range.first() & PAGE - 1) == 0 && (range.last() & PAGE - 1) == PAGE - 1;
            if (region.hasContent() && (!whole || places.stream().noneMatch(place -> holds(place.range(), range)))) {
                return false;
            }
        }
        return places.stream().allMatch(place -> (place.range().first() & PAGE - 1) == 0);
    }

    private static boolean holds(AddressRange outer, AddressRange inner) {
        return outer.contains(inner.first()) && outer.contains(inner.last());
    }

    /** Whether memory was put here. */
    public boolean isUsed() {
        return !slots.isEmpty();
    }

    private Slot slotOf(long address) {
        if (!slots.get(current).range().contains(address)) {
            current = indexOf(address);
        }
        return slots.get(current);
    }

    private int indexOf(long address) {
        int low = 0;
        int high = slots.size() - 1;
        while (low < high) {
            int middle = low + high + 1 >>> 1;
            if (Long.compareUnsigned(slots.get(middle).range().first(), address) <= 0) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if (!slots.get(low).range().contains(address)) {
            throw new IllegalArgumentException("no memory at 0x" + Long.toHexString(address));
        }
        return low;
    }

    @Override
    public void put(long address, MemorySegment page) {
        if (MemorySegment.mismatch(page, 0, PAGE, zeroPage, 0, PAGE) < 0) {
            putZeros(address);
            return;
        }
        Slot slot = slotOf(address);
        if (VmcoreInfo.mayBegin(page, 0) && landmarks.size() <= MOST_LANDMARKS) {
            landmarks.add(address);
        }
        store(slot, address, page);
        slot.states().set(address - slot.range().first(), PAGE, PageState.PRESENT);
    }

    @Override
    public void putZeros(long address) {
        Slot slot = slotOf(address);
        if (slot.states().at(address - slot.range().first()) != PageState.ZERO) {
            store(slot, address, zeroPage);
            slot.states().set(address - slot.range().first(), PAGE, PageState.ZERO);
        }
    }

    private void store(Slot slot, long address, MemorySegment page) {
        long offset = slot.offset() + (address - slot.range().first());
        if (gatheredSize == GATHERED || offset != gatheredOffset + gatheredSize) {
            flush();
            gatheredOffset = offset;
        }
        MemorySegment.copy(page, 0, gathered, gatheredSize, PAGE);
        gatheredSize += PAGE;
    }

    private void flush() {
        if (gatheredSize > 0) {
            output.writeAt(gatheredOffset, gathered.asSlice(0, gatheredSize));
            gatheredSize = 0;
        }
    }

    @Override
    public RegionContents contents(MemoryRegion region) {
        flush();
        Slot slot = slotOf(region.range().first());
        return new Stored(slot, region.range().first() - slot.range().first());
    }

    /**
     * The file to write the plan to: that with the memory if the plan has it in the same places, else another one.
     *
     * @param plan of a guest whose memory this is
     * @return to be closed also where it is another one
     */
    public OutputFile fileFor(WritePlan plan) {
        if (!isUsed()) {
            // Something may have been put for an attempt that came to nothing.
            output.place(this);
            return output;
        }
        List<MemoryPlace> places = plan.memoryPlaces();
        boolean fits = !places.isEmpty()
                && places.stream()
                        .allMatch(place -> stands(place.range().first(), place.range().size(), place.offset()));
        return fits ? output : output.another();
    }

    @Override
    public boolean stands(long address, long size, long offset) {
        if (!isUsed()) {
            return false;
        }
        int index = slots.size() - 1;
        while (index > 0 && Long.compareUnsigned(slots.get(index).range().first(), address) > 0) {
            index--;
        }
        Slot slot = slots.get(index);
        return holds(slot.range(), AddressRange.ofSize(address, size))
                && slot.offset() + (address - slot.range().first()) == offset;
    }

    @Override
    public boolean showLandmarks(AddressRange range, LongConsumer consumer) {
        if (landmarks.size() > MOST_LANDMARKS) {
            return false;
        }
        landmarks.subSet(range.first(), true, range.last(), true).forEach(consumer::accept);
        return true;
    }

    @Override
    public void close() {
        slots.forEach(slot -> slot.states().close());
        slots.clear();
        current = 0;
    }

    private final class Stored implements RegionContents {

        private final Slot slot;
        private final long start;

        Stored(Slot slot, long start) {
            this.slot = slot;
            this.start = start;
        }

        @Override
        public Run runAt(long offset, long remaining) {
            return slot.states().runAt(start + offset, remaining);
        }

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            for (long done = 0; done < target.byteSize();) {
                Run run = runAt(offset + done, target.byteSize() - done);
                MemorySegment part = target.asSlice(done, run.size());
                if (run.state() == PageState.ZERO) {
                    part.fill((byte) 0);
                } else {
                    output.readAt(slot.offset() + start + offset + done, part);
                }
                done += run.size();
            }
            return target.byteSize();
        }
    }
}

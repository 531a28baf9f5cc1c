package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86Mode;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.internal.parallel.OrderedPipeline;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * How two guests differ, page by page and register by register. A page is 4096 bytes.
 *
 * <p>Immutable; two are equal if all that they say is.
 */
public final class GuestComparison {

    private final Architecture architectureA;
    private final Architecture architectureB;
    private final int vcpuCountA;
    private final int vcpuCountB;
    private final List<VcpuDifference> vcpus;
    private final long comparedBytes;
    private final RangeTally differing;
    private final long differingBytes;
    private final OptionalLong firstDifference;
    private final RangeTally onlyInA;
    private final RangeTally onlyInB;
    private final RangeTally devicesOnlyInA;
    private final RangeTally devicesOnlyInB;
    private final List<StateDifference> states;
    private final List<KindDifference> kinds;
    private final long unknownBytes;

    private GuestComparison(
            Architecture architectureA,
            Architecture architectureB,
            int vcpuCountA,
            int vcpuCountB,
            List<VcpuDifference> vcpus,
            long comparedBytes,
            RangeTally differing,
            long differingBytes,
            OptionalLong firstDifference,
            RangeTally onlyInA,
            RangeTally onlyInB,
            RangeTally devicesOnlyInA,
            RangeTally devicesOnlyInB,
            List<StateDifference> states,
            List<KindDifference> kinds,
            long unknownBytes) {
        this.architectureA = architectureA;
        this.architectureB = architectureB;
        this.vcpuCountA = vcpuCountA;
        this.vcpuCountB = vcpuCountB;
        this.vcpus = List.copyOf(vcpus);
        this.comparedBytes = comparedBytes;
        this.differing = differing;
        this.differingBytes = differingBytes;
        this.firstDifference = firstDifference;
        this.onlyInA = onlyInA;
        this.onlyInB = onlyInB;
        this.devicesOnlyInA = devicesOnlyInA;
        this.devicesOnlyInB = devicesOnlyInB;
        this.states = List.copyOf(states);
        this.kinds = List.copyOf(kinds);
        this.unknownBytes = unknownBytes;
    }

    /** Processor family of the first guest. */
    public Architecture architectureA() {
        return architectureA;
    }

    /** Processor family of the second guest. */
    public Architecture architectureB() {
        return architectureB;
    }

    /** Number of vCPUs of the first guest. */
    public int vcpuCountA() {
        return vcpuCountA;
    }

    /** Number of vCPUs of the second guest. */
    public int vcpuCountB() {
        return vcpuCountB;
    }

    /** VCPUs that both have and whose registers or modes differ. */
    public List<VcpuDifference> vcpus() {
        return vcpus;
    }

    /** Bytes that both guests have and that were compared, known zeros included. */
    public long comparedBytes() {
        return comparedBytes;
    }

    /** Pages that both guests have and that are not the same; whole pages, cut at the borders of regions. */
    public RangeTally differing() {
        return differing;
    }

    /** How many bytes in these pages differ. */
    public long differingBytes() {
        return differingBytes;
    }

    /** Address of the first byte that differs. */
    public OptionalLong firstDifference() {
        return firstDifference;
    }

    /** Memory with content in the first guest, where the second has no region. */
    public RangeTally onlyInA() {
        return onlyInA;
    }

    /** Memory with content in the second guest, where the first has no region. */
    public RangeTally onlyInB() {
        return onlyInB;
    }

    /** Devices and other regions without content in the first guest, where the second has no region. */
    public RangeTally devicesOnlyInA() {
        return devicesOnlyInA;
    }

    /** Devices and other regions without content in the second guest, where the first has no region. */
    public RangeTally devicesOnlyInB() {
        return devicesOnlyInB;
    }

    /** Memory that both guests have, with bytes in one of them only or missing for different reasons. */
    public List<StateDifference> states() {
        return states;
    }

    /** Memory that both guests have, as regions of different kinds. */
    public List<KindDifference> kinds() {
        return kinds;
    }

    /** Bytes that are missing from both for the same reason: nobody knows whether they are equal. */
    public long unknownBytes() {
        return unknownBytes;
    }

    /** What differs, in few words; addresses are hexadecimal. */
    @Override
    public String toString() {
        String first = firstDifference.isPresent() ? "0x" + Long.toHexString(firstDifference.getAsLong()) : "none";
        return "GuestComparison[" + comparedBytes + " bytes compared, " + differingBytes + " differ, the first at "
                + first + ", differing=" + differing + ", onlyInA=" + onlyInA + ", onlyInB=" + onlyInB + ", vcpus="
                + vcpus
                + ", states=" + states + ", kinds=" + kinds + "]";
    }

    /**
     * Whether both guests have the same bytes at the same addresses and lack the same. Devices and the kinds of regions
     * are not looked at, since many formats do not keep them.
     */
    public boolean isSameMemory() {
        return differing.isEmpty() && onlyInA.isEmpty() && onlyInB.isEmpty() && states.isEmpty();
    }

    /** Whether both guests have the same vCPUs with the same registers known and the same values. */
    public boolean isSameRegisters() {
        return (architectureA.mayBe(architectureB) || architectureB.mayBe(architectureA)) && vcpuCountA == vcpuCountB
                && vcpus.isEmpty();
    }

    /** Whether every register that both guests know has the same value in both; what one of them does not know is passed over. */
    public boolean isSameWhereKnown() {
        return vcpuCountA == vcpuCountB
                && architectureA == architectureB
                && vcpus.stream().allMatch(vcpu -> vcpu.mode().isEmpty())
                && vcpus.stream().flatMap(vcpu -> vcpu.registers().stream())
                        .noneMatch(RegisterDifference::isKnownInBoth);
    }

    /** Whether both guests agree in all memory and in every register that both know. */
    public boolean agrees() {
        return isSameMemory() && isSameWhereKnown();
    }

    /** Whether nothing at all differs. */
    public boolean isIdentical() {
        return isSameMemory()
                && isSameRegisters()
                && kinds.isEmpty()
                && devicesOnlyInA.isEmpty()
                && devicesOnlyInB.isEmpty();
    }

    /**
     * Compares two guests, with a thread per processor. Long runs of zeros and holes cost nothing, whatever their size.
     *
     * @param a the first guest
     * @param b the second guest
     * @param progress is told of each byte in regions that both have; called in this thread
     * @throws dev.guestcore.error.CancelledException if {@code progress} says so
     */
    public static GuestComparison compare(Guest a, Guest b, Progress progress) {
        return compare(a, b, range -> {}, progress);
    }

    /**
     * Compares two guests, and tells where memory is not the same: other bytes, or bytes in one guest only.
     *
     * @param a the first guest
     * @param b the second guest
     * @param changed gets every range, in this thread, but not sorted
     * @param progress is told of each byte in regions that both have; called in this thread
     * @throws dev.guestcore.error.CancelledException if {@code progress} says so
     */
    public static GuestComparison compare(Guest a, Guest b, Consumer<AddressRange> changed, Progress progress) {
        MemoryDifferences memory = new MemoryDifferences(a.memory(), b.memory(), changed, progress);
        memory.find();
        return new GuestComparison(
                a.architecture(),
                b.architecture(),
                a.vcpus().size(),
                b.vcpus().size(),
                compareVcpus(
                        a.vcpus(),
                        b.vcpus(),
                        a.architecture() == Architectures.X86 && b.architecture() == Architectures.X86),
                memory.comparedBytes,
                memory.differing.finish(),
                memory.differingBytes,
                memory.firstDifference,
                memory.onlyInA.finish(),
                memory.onlyInB.finish(),
                memory.devicesOnlyInA.finish(),
                memory.devicesOnlyInB.finish(),
                memory.stateDifferences(),
                memory.kindDifferences(),
                memory.unknownBytes);
    }

    private static List<VcpuDifference> compareVcpus(List<Vcpu> a, List<Vcpu> b, boolean x86) {
        List<VcpuDifference> differences = new ArrayList<>();
        for (int position = 0; position < Math.min(a.size(), b.size()); position++) {
            RegisterState inA = a.get(position).registers();
            RegisterState inB = b.get(position).registers();
            List<RegisterDifference> registers = new ArrayList<>();
            // The union of both, in the architecture's order.
            for (Register register : inA.toBuilder().setAll(inB).build().known()) {
                Optional<String> valueA = value(inA, register);
                Optional<String> valueB = value(inB, register);
                if (!valueA.equals(valueB)) {
                    registers.add(new RegisterDifference(register, valueA, valueB));
                }
            }
            Optional<ModeDifference> mode = x86 ? mode(a, b, position) : Optional.empty();
            if (!registers.isEmpty() || mode.isPresent()) {
                differences.add(new VcpuDifference(position, registers, mode));
            }
        }
        return differences;
    }

    private static Optional<ModeDifference> mode(List<Vcpu> a, List<Vcpu> b, int position) {
        X86Mode inA = X86Mode.of(a.get(position), a);
        X86Mode inB = X86Mode.of(b.get(position), b);
        boolean known = inA.width() != X86Mode.Width.UNKNOWN && inB.width() != X86Mode.Width.UNKNOWN;
        return known && inA.width() != inB.width()
                ? Optional.of(new ModeDifference(describe(inA), describe(inB)))
                : Optional.empty();
    }

    private static String describe(X86Mode mode) {
        return (mode.isLong() ? "long mode" : "no long mode") + " (" + mode.how() + ")";
    }

    private static Optional<String> value(RegisterState state, Register register) {
        return state.knows(register) ? Optional.of(state.hex(register)) : Optional.empty();
    }

    /** Bytes in regions that both memories have. */
    private static long bytesInBoth(GuestMemory a, GuestMemory b) {
        long bytes = 0;
        Iterator<MemoryRegion> regionsA = a.regions().iterator();
        Iterator<MemoryRegion> regionsB = b.regions().iterator();
        MemoryRegion inA = nextOrNull(regionsA);
        MemoryRegion inB = nextOrNull(regionsB);
        while (inA != null && inB != null) {
            bytes = Pages.add(bytes, inA.range().intersection(inB.range()).map(Pages::size).orElse(0L));
            if (Long.compareUnsigned(inA.range().last(), inB.range().last()) <= 0) {
                inA = nextOrNull(regionsA);
            } else {
                inB = nextOrNull(regionsB);
            }
        }
        return bytes;
    }

    private static @Nullable MemoryRegion nextOrNull(Iterator<MemoryRegion> regions) {
        return regions.hasNext() ? regions.next() : null;
    }

    /** Pairs of what two guests have at one place, in the order of the enum. */
    private record Pair<E extends Enum<E>>(E inA, E inB) implements Comparable<Pair<E>> {
        @Override
        public int compareTo(Pair<E> other) {
            int byA = inA.compareTo(other.inA);
            return byA != 0 ? byA : inB.compareTo(other.inB);
        }
    }

    /** Goes through both memories and collects what differs. */
    private static final class MemoryDifferences {

        private final GuestMemory a;
        private final GuestMemory b;
        private final Consumer<AddressRange> changed;
        private final Progress progress;
        private final RangeTally.Collector differing = new RangeTally.Collector();
        private final RangeTally.Collector onlyInA = new RangeTally.Collector();
        private final RangeTally.Collector onlyInB = new RangeTally.Collector();
        private final RangeTally.Collector devicesOnlyInA = new RangeTally.Collector();
        private final RangeTally.Collector devicesOnlyInB = new RangeTally.Collector();
        private final Map<Pair<PageState>, RangeTally.Collector> states = new TreeMap<>();
        private final Map<Pair<MemoryRegion.Kind>, RangeTally.Collector> kinds = new TreeMap<>();
        private OptionalLong firstDifference = OptionalLong.empty();
        private long differingBytes;
        private long comparedBytes;
        private long unknownBytes;

        MemoryDifferences(GuestMemory a, GuestMemory b, Consumer<AddressRange> changed, Progress progress) {
            this.a = a;
            this.b = b;
            this.changed = changed;
            this.progress = progress;
        }

        void find() {
            progress.begin("comparing memory", bytesInBoth(a, b));
            try (Arena arena = Arena.ofShared()) {
                MemorySegment buffers = arena.allocate(2L * Batch.BUFFER * OrderedPipeline.batches(), Pages.SIZE);
                try (OrderedPipeline<Batch> pipeline = new OrderedPipeline<>(
                        number -> new Batch(
                                buffers.asSlice(2L * Batch.BUFFER * number, Batch.BUFFER),
                                buffers.asSlice(2L * Batch.BUFFER * number + Batch.BUFFER, Batch.BUFFER)),
                        batch -> batch.compare(a, b),
                        this::merge)) {
                    walk(pipeline);
                    pipeline.finish();
                }
            }
        }

        private void walk(OrderedPipeline<Batch> pipeline) {
            RegionCursor cursorA = new RegionCursor(a);
            RegionCursor cursorB = new RegionCursor(b);
            Batch batch = pipeline.take();
            long at = 0;
            while (true) {
                cursorA.moveTo(at);
                cursorB.moveTo(at);
                long last = Pages.lower(cursorA.last(), cursorB.last());
                MemoryRegion.Kind kindA = cursorA.kind();
                MemoryRegion.Kind kindB = cursorB.kind();
                if (kindA != null && kindB != null) {
                    if (kindA != kindB) {
                        kinds.computeIfAbsent(new Pair<>(kindA, kindB), pair -> new RangeTally.Collector())
                                .add(at, last);
                    }
                    batch = hand(pipeline, batch, at, last, cursorA.state(), cursorB.state());
                } else if (kindA != null) {
                    addToOne(cursorA.state(), devicesOnlyInA, onlyInA, at, last);
                } else if (kindB != null) {
                    addToOne(cursorB.state(), devicesOnlyInB, onlyInB, at, last);
                }
                if (last == -1L) {
                    break;
                }
                at = last + 1;
            }
            pipeline.submit(batch);
        }

        private void addToOne(
                PageState state, RangeTally.Collector devices, RangeTally.Collector memory, long first, long last) {
            if (state == PageState.ABSENT) {
                devices.add(first, last);
            } else {
                memory.add(first, last);
                changed.accept(new AddressRange(first, last));
            }
        }

        private static Batch hand(
                OrderedPipeline<Batch> pipeline,
                Batch begun,
                long first,
                long last,
                PageState stateA,
                PageState stateB) {
            Batch batch = begun;
            long at = first;
            while (true) {
                long taken = batch.add(at, last, stateA, stateB);
                if (batch.isFull()) {
                    pipeline.submit(batch);
                    batch = pipeline.take();
                }
                if (taken == last) {
                    return batch;
                }
                at = taken + 1;
            }
        }

        private void merge(Batch batch) {
            long bytes = 0;
            for (Result result : batch.results) {
                long size = Pages.size(result.first, result.last);
                bytes = Pages.add(bytes, size);
                boolean readable = result.stateA.isReadable() && result.stateB.isReadable();
                if (readable) {
                    comparedBytes = Pages.add(comparedBytes, size);
                } else if (result.stateA != result.stateB) {
                    states.computeIfAbsent(
                            new Pair<>(result.stateA, result.stateB), pair -> new RangeTally.Collector())
                            .add(result.first, result.last);
                    changed.accept(new AddressRange(result.first, result.last));
                } else if (result.stateA != PageState.ABSENT) {
                    unknownBytes = Pages.add(unknownBytes, size);
                }
                if (result.differingBytes > 0) {
                    differing.add(result.first, result.last);
                    changed.accept(new AddressRange(result.first, result.last));
                    differingBytes += result.differingBytes;
                    if (firstDifference.isEmpty()) {
                        firstDifference = OptionalLong.of(result.firstDifference);
                    }
                }
            }
            batch.clear();
            progress.advance(bytes);
        }

        private List<StateDifference> stateDifferences() {
            List<StateDifference> list = new ArrayList<>();
            states.forEach((pair, tally) -> list.add(new StateDifference(pair.inA(), pair.inB(), tally.finish())));
            return list;
        }

        private List<KindDifference> kindDifferences() {
            List<KindDifference> list = new ArrayList<>();
            kinds.forEach((pair, tally) -> list.add(new KindDifference(pair.inA(), pair.inB(), tally.finish())));
            return list;
        }
    }

    /** A piece of memory after comparison; {@code differingBytes} 0 where it is equal or could not be compared. */
    private record Result(
            long first, long last, PageState stateA, PageState stateB, long differingBytes, long firstDifference) {}

    /** Some pieces of memory that both guests have, and what came out of their comparison. */
    private static final class Batch {

        static final int PAGES = 64;
        static final int BUFFER = PAGES * Pages.SIZE;
        private static final int MOST_PIECES = 128;

        private final MemorySegment bufferA;
        private final MemorySegment bufferB;
        private final List<Result> pieces = new ArrayList<>();
        private final List<Result> results = new ArrayList<>();
        private int pagesToRead;

        Batch(MemorySegment bufferA, MemorySegment bufferB) {
            this.bufferA = bufferA;
            this.bufferB = bufferB;
        }

        /** Takes a piece, or its beginning; gives the last address that was taken. */
        long add(long first, long last, PageState stateA, PageState stateB) {
            long taken = last;
            if (mustRead(stateA, stateB)) {
                int room = PAGES - pagesToRead;
                long roomLast = Pages.lastOfPage(first) + (long) (room - 1) * Pages.SIZE;
                // The sum may pass 2^64; then there is room enough.
                if (Long.compareUnsigned(roomLast, first) >= 0) {
                    taken = Pages.lower(last, roomLast);
                }
                pagesToRead += (int) Pages.count(first, taken);
            }
            pieces.add(new Result(first, taken, stateA, stateB, 0, 0));
            return taken;
        }

        private static boolean mustRead(PageState stateA, PageState stateB) {
            return stateA.isReadable()
                    && stateB.isReadable()
                    && (stateA == PageState.PRESENT || stateB == PageState.PRESENT);
        }

        boolean isFull() {
            return pieces.size() == MOST_PIECES || pagesToRead == PAGES;
        }

        void clear() {
            pieces.clear();
            results.clear();
            pagesToRead = 0;
        }

        void compare(GuestMemory a, GuestMemory b) {
            for (Result piece : pieces) {
                if (mustRead(piece.stateA, piece.stateB)) {
                    comparePiece(a, b, piece);
                } else {
                    results.add(piece);
                }
            }
        }

        private void comparePiece(GuestMemory a, GuestMemory b, Result piece) {
            long at = piece.first;
            while (true) {
                long wanted = piece.last - at + 1;
                long copiedA = read(a, at, piece.stateA, bufferA.asSlice(0, wanted));
                long copiedB = read(b, at, piece.stateB, bufferB.asSlice(0, wanted));
                long both = Math.min(copiedA, copiedB);
                if (both == wanted) {
                    comparePages(at, wanted);
                    return;
                }
                // A page of which a part is missing is missing; the one behind it is tried again.
                long stop = at + both;
                long pageStart = startOfPage(stop, at);
                if (pageStart != at) {
                    comparePages(at, pageStart - at);
                }
                long pageLast = Pages.lower(Pages.lastOfPage(stop), piece.last);
                PageState stateA = stateOf(a, at, copiedA, pageLast, piece.stateA);
                PageState stateB = stateOf(b, at, copiedB, pageLast, piece.stateB);
                results.add(new Result(pageStart, pageLast, stateA, stateB, 0, 0));
                if (pageLast == piece.last) {
                    return;
                }
                at = pageLast + 1;
            }
        }

        private static long read(GuestMemory memory, long address, PageState state, MemorySegment target) {
            if (state == PageState.ZERO) {
                target.fill((byte) 0);
                return target.byteSize();
            }
            return memory.readAvailable(address, target);
        }

        private static PageState stateOf(
                GuestMemory memory, long first, long copied, long pageLast, PageState expected) {
            boolean whole = Long.compareUnsigned(copied, pageLast - first) > 0;
            return whole ? expected : Pages.stateOfFailure(memory, first + copied);
        }

        private void comparePages(long first, long size) {
            long done = 0;
            while (done < size) {
                long mismatch = MemorySegment.mismatch(bufferA, done, size, bufferB, done, size);
                if (mismatch < 0) {
                    results.add(same(first + done, first + size - 1));
                    return;
                }
                long differs = first + done + mismatch;
                long pageFirst = startOfPage(differs, first + done);
                if (pageFirst != first + done) {
                    results.add(same(first + done, pageFirst - 1));
                }
                long pageLast = Pages.lower(Pages.lastOfPage(differs), first + size - 1);
                long bytes = countDifferences(differs - first, pageLast - first + 1);
                results.add(new Result(pageFirst, pageLast, PageState.PRESENT, PageState.PRESENT, bytes, differs));
                done = pageLast - first + 1;
            }
        }

        /** Where the page of {@code address} begins, or {@code lowest} where that is higher. */
        private static long startOfPage(long address, long lowest) {
            long start = address & ~Pages.OFFSET_MASK;
            return Long.compareUnsigned(start, lowest) > 0 ? start : lowest;
        }

        private static Result same(long first, long last) {
            return new Result(first, last, PageState.PRESENT, PageState.PRESENT, 0, 0);
        }

        private long countDifferences(long from, long end) {
            long count = 0;
            for (long i = from; i < end; i++) {
                if (bufferA.get(ValueLayout.JAVA_BYTE, i) != bufferB.get(ValueLayout.JAVA_BYTE, i)) {
                    count++;
                }
            }
            return count;
        }
    }

    private List<Object> parts() {
        return List.of(
                architectureA,
                architectureB,
                vcpuCountA,
                vcpuCountB,
                vcpus,
                comparedBytes,
                differing,
                differingBytes,
                firstDifference,
                onlyInA,
                onlyInB,
                devicesOnlyInA,
                devicesOnlyInB,
                states,
                kinds,
                unknownBytes);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof GuestComparison that && parts().equals(that.parts());
    }

    @Override
    public int hashCode() {
        return parts().hashCode();
    }
}

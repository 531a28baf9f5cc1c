package dev.guestcore.bench;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.RegionContents;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Translation;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** Loops that run once a page or more often, each by itself. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class InnerLoops {

    private static final int PAGE = 4096;

    /** For JMH. */
    public InnerLoops() {}

    /** A page of zeros, and one that is zero but for its last byte. */
    @State(Scope.Thread)
    public static class ZeroScan {

        private final MemorySegment zeros = Arena.ofAuto().allocate(PAGE, PAGE);
        private final MemorySegment page = Arena.ofAuto().allocate(PAGE, PAGE);

        /** What the page is like. */
        @Param({"zero", "last byte", "first byte"})
        public String content = "zero";

        /** For JMH. */
        public ZeroScan() {}

        /** Fills the page. */
        @Setup
        public void fill() {
            if (!content.equals("zero")) {
                page.set(ValueLayout.JAVA_BYTE, content.equals("last byte") ? PAGE - 1 : 0, (byte) 1);
            }
        }
    }

    /** As the copy does it: against a page of zeros. */
    @Benchmark
    public boolean zeroByMismatch(ZeroScan state) {
        return MemorySegment.mismatch(state.page, 0, PAGE, state.zeros, 0, PAGE) < 0;
    }

    /** Eight words at a time. */
    @Benchmark
    public boolean zeroByWords(ZeroScan state) {
        for (int at = 0; at < PAGE; at += 8 * Long.BYTES) {
            long any = 0;
            for (int word = 0; word < 8; word++) {
                any |= state.page.get(ValueLayout.JAVA_LONG, at + word * Long.BYTES);
            }
            if (any != 0) {
                return false;
            }
        }
        return true;
    }

    /** A table of ranges, and addresses to look up in it. */
    @State(Scope.Thread)
    public static class Index {

        /** Number of ranges. */
        @Param({"1", "1000", "1000000"})
        public int ranges = 1;

        private Extents extents = new Extents.Builder(Arena.ofAuto()).build();
        private final SplittableRandom random = new SplittableRandom(1);

        /** For JMH. */
        public Index() {}

        /** Makes the table. */
        @Setup
        public void build() {
            Extents.Builder builder = new Extents.Builder(Arena.ofAuto());
            for (long i = 0; i < ranges; i++) {
                builder.add(2 * i * PAGE, 2 * i * PAGE + PAGE - 1, i);
            }
            extents = builder.build();
        }
    }

    /** Where a page lies, anywhere in the table. */
    @Benchmark
    public long pageLookUp(Index state) {
        return state.extents.floor(state.random.nextLong(2L * state.ranges * PAGE));
    }

    /** Four levels of page tables over 1 GiB in pages of 4 KiB. */
    @State(Scope.Thread)
    public static class Tables {

        private static final long PRESENT_WRITABLE = 3;
        private static final int TABLES = 3 + 512;

        private final AddressSpace space;
        private final SplittableRandom random = new SplittableRandom(1);

        /** Makes the tables. */
        public Tables() {
            MemorySegment bytes = Arena.ofAuto().allocate((long) TABLES * PAGE, PAGE);
            put(bytes, 0, 0, 1);
            put(bytes, 1, 0, 2);
            for (int table = 0; table < 512; table++) {
                put(bytes, 2, table, 3 + table);
                for (int page = 0; page < 512; page++) {
                    put(bytes, 3 + table, page, table * 512L + page);
                }
            }
            AddressRange range = AddressRange.ofSize(0, bytes.byteSize());
            GuestMemory memory = Guest.builder()
                    .region(new MemoryRegion(range, MemoryRegion.Kind.RAM, "tables"), RegionContents.of(bytes))
                    .build()
                    .memory();
            space = AddressSpace.of(
                    memory, new X86Paging(X86PagingMode.FOUR_LEVEL, 0, false, true, false, 0, 46, "made for this"));
        }

        private static void put(MemorySegment bytes, int table, int entry, long frame) {
            bytes.set(
                    ValueLayout.JAVA_LONG,
                    (long) table * PAGE + (long) entry * Long.BYTES,
                    frame * PAGE | PRESENT_WRITABLE);
        }
    }

    /** One address, with all steps told. */
    @Benchmark
    public Translation pageWalk(Tables state) {
        return state.space.translate(state.random.nextLong(1L << 30));
    }

    /** A MiB to digest. */
    @State(Scope.Thread)
    public static class Digest {

        private final byte[] bytes = new byte[1 << 20];
        private final MessageDigest sha256;

        /** Makes the bytes. */
        public Digest() {
            new SplittableRandom(1).nextBytes(bytes);
            try {
                sha256 = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException("every JVM has SHA-256", e);
            }
        }
    }

    /** SHA-256 over 1 MiB. */
    @Benchmark
    public byte[] sha256(Digest state) {
        return state.sha256.digest(state.bytes);
    }
}

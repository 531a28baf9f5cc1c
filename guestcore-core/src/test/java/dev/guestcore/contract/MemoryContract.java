package dev.guestcore.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/** What {@link GuestMemory} promises, tried on one: regions, runs, holes, reads, views, threads. */
final class MemoryContract {

    private static final int LONGEST_READ = 1 << 16;
    private static final int THREADS = 4;

    private final GuestMemory memory;

    MemoryContract(GuestMemory memory) {
        this.memory = memory;
    }

    /** Tries everything. */
    void check() throws Exception {
        assertFalse(memory.regions().isEmpty(), "there is memory");
        AddressRange before = null;
        for (MemoryRegion region : memory.regions()) {
            AddressRange range = region.range();
            assertEquals(Optional.of(region), memory.regionAt(range.first()), "regionAt its first address");
            assertEquals(Optional.of(region), memory.regionAt(range.last()), "regionAt its last address");
            if (before != null) {
                assertTrue(Long.compareUnsigned(before.last(), range.first()) < 0, "regions ascend and do not overlap");
            }
            if (range.first() != 0 && (before == null || before.last() + 1 != range.first())) {
                hole(range.first() - 1);
            }
            runs(range);
            before = range;
        }
        if (before != null && before.last() != -1) {
            behind(before.last());
        }
        threads();
    }

    private void hole(long address) {
        assertEquals(Optional.empty(), memory.regionAt(address), "no region in a hole");
        assertEquals(PageState.ABSENT, memory.runAt(address).state(), "a hole is absent");
        assertEquals(0, memory.readAvailable(address, MemorySegment.ofArray(new byte[16])),
                "nothing is read from a hole");
    }

    private void behind(long last) {
        hole(last + 1);
        long readable = memory.runAt(last).state().isReadable() ? 1 : 0;
        assertEquals(readable, memory.readAvailable(last, MemorySegment.ofArray(new byte[16])),
                "a read ends with the memory");
        MemoryAccessException failure = assertThrows(
                MemoryAccessException.class, () -> memory.read(last, MemorySegment.ofArray(new byte[16])));
        assertEquals(last + readable, failure.address(), "the first address that cannot be read");
    }

    private void runs(AddressRange range) {
        for (long address = range.first();;) {
            PageRun run = memory.runAt(address);
            assertEquals(address, run.range().first(), "a run begins where it is asked for");
            bytes(address, run, PageState.ZERO);
            PageRun content = memory.contentRunAt(address);
            assertEquals(address, content.range().first(), "a run of content begins where it is asked for");
            assertEquals(run.state().isReadable(), content.state().isReadable(),
                    "what has content is what can be read");
            bytes(address, content, PageState.ZERO);
            if (Long.compareUnsigned(run.range().last(), range.last()) >= 0) {
                return;
            }
            address = run.range().last() + 1;
        }
    }

    private void bytes(long address, PageRun run, PageState zero) {
        long lessOne = run.range().last() - address;
        int size = Long.compareUnsigned(lessOne, LONGEST_READ) < 0 ? (int) lessOne + 1 : LONGEST_READ;
        byte[] bytes = new byte[size];
        long count = memory.readAvailable(address, MemorySegment.ofArray(bytes));
        assertEquals(run.state().isReadable() ? size : 0, count,
                () -> run.state() + " at 0x" + Long.toHexString(address));
        if (run.state() == zero) {
            assertArrayEquals(new byte[size], bytes, "zero is zero");
        }
        if (count > 0) {
            assertEquals(bytes[0], memory.readByte(address), "a byte alone");
            if (size >= Long.BYTES) {
                long number = MemorySegment.ofArray(bytes)
                        .get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(memory.byteOrder()), 0);
                assertEquals(number, memory.readLong(address), "a number in the guest's byte order");
                assertTrue(memory.byteOrder() == ByteOrder.BIG_ENDIAN || memory.byteOrder() == ByteOrder.LITTLE_ENDIAN);
            }
            memory.view(address, size).ifPresent(view -> {
                assertTrue(view.isReadOnly(), "a view cannot be written");
                assertEquals(-1, view.mismatch(MemorySegment.ofArray(bytes)), "a view shows what a read gives");
            });
        }
    }

    private void threads() throws Exception {
        Map<String, String> expected = Patterns.contents(memory);
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            Callable<Map<String, String>> read = () -> Patterns.contents(memory);
            for (Future<Map<String, String>> result : threads
                    .invokeAll(Stream.generate(() -> read).limit(THREADS).toList())) {
                assertEquals(expected, result.get(), "every thread reads the same");
            }
        }
    }
}

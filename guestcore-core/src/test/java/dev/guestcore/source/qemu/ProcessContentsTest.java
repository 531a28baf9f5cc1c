package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Reads this process itself, which is always permitted. */
@EnabledOnOs(OS.LINUX)
class ProcessContentsTest {

    private static final int PAGE = 4096;

    private final ProcessMemory self = new ProcessMemory((int) ProcessHandle.current().pid());

    @Test
    void stopsAtAPageThatCannotBeReadAndSaysWhy() throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pages = arena.allocate(6 * PAGE, PAGE);
            for (int i = 0; i < pages.byteSize(); i++) {
                pages.set(ValueLayout.JAVA_BYTE, i, (byte) (i * 7 + (i >> 8)));
            }
            protect(pages.asSlice(2 * PAGE, PAGE), 0);
            try {
                RegionContents contents = new ProcessContents(self, pages.address(), Optional.empty(), false);
                for (MemorySegment target : new MemorySegment[] {
                    arena.allocate(6 * PAGE), MemorySegment.ofArray(new byte[6 * PAGE])
                }) {
                    assertEquals(2 * PAGE - 100, contents.readAvailable(100, target.asSlice(0, 6 * PAGE - 100)));
                    assertEquals(-1, MemorySegment.mismatch(pages, 100, 2 * PAGE, target, 0, 2 * PAGE - 100));
                    assertEquals(0, contents.readAvailable(2 * PAGE + 8, target.asSlice(0, 8)));
                    assertEquals(3 * PAGE, contents.readAvailable(3 * PAGE, target.asSlice(0, 3 * PAGE)));
                    assertEquals(-1, MemorySegment.mismatch(pages, 3 * PAGE, 6 * PAGE, target, 0, 3 * PAGE));
                }
                assertEquals(new RegionContents.Run(PageState.PRESENT, 6 * PAGE), contents.runAt(0, 6 * PAGE));
                assertEquals(
                        new RegionContents.Run(PageState.UNREADABLE, PAGE - 8),
                        contents.runAt(2 * PAGE + 8, 4 * PAGE - 8));
                assertEquals(new RegionContents.Run(PageState.UNREADABLE, 1), contents.runAt(3 * PAGE - 1, 1));
            } finally {
                protect(pages.asSlice(2 * PAGE, PAGE), 3);
            }
        }
    }

    /** Reading a hole of a file in memory fills it with zeros, which takes memory that the host may not have. */
    @Test
    void sharedMemoryThatNobodyHasTouchedIsNotTouchedByReading() throws IOException {
        Path memory = Path.of("/dev/shm");
        assumeTrue(Files.isWritable(memory) && Files.getFileStore(memory).type().equals("tmpfs"), "no tmpfs");
        Path file = Files.createTempFile(memory, "guestcore", "");
        long size = 1024 * PAGE;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            Files.delete(file);
            channel.write(ByteBuffer.wrap(new byte[] {0}), size - 1);
            // The region begins somewhere in the file, and the mapping is no longer than the region.
            MemorySegment mapped = channel.map(FileChannel.MapMode.READ_WRITE, 8 * PAGE, size - 8 * PAGE, arena);
            mapped.set(ValueLayout.JAVA_BYTE, 100 * PAGE + 5, (byte) 42);
            try (PageMap map = PageMap.of(self.process()).orElseThrow()) {
                assertTrue(map.covers(mapped.address(), mapped.byteSize()));
                assertTrue(map.isShared(mapped.address(), mapped.byteSize()));
                RegionContents contents = new ProcessContents(self, mapped.address(), Optional.of(map), true);
                MemorySegment target = arena.allocate(300 * PAGE);
                target.fill((byte) 7);
                assertEquals(300 * PAGE - 3, contents.readAvailable(3, target.asSlice(0, 300 * PAGE - 3)));
                assertEquals(42, target.get(ValueLayout.JAVA_BYTE, 100 * PAGE + 2));
                target.set(ValueLayout.JAVA_BYTE, 100 * PAGE + 2, (byte) 0);
                MemorySegment zeros = arena.allocate(300 * PAGE - 3);
                assertEquals(-1, MemorySegment.mismatch(target, 0, 300 * PAGE - 3, zeros, 0, 300 * PAGE - 3));
                assertEquals(
                        new RegionContents.Run(PageState.PRESENT, PAGE - 5), contents.runAt(100 * PAGE + 5, 4 * PAGE));
            }
            try (PageMap map = PageMap.of(self.process()).orElseThrow()) {
                assertEquals(List.of(100), touched(map, mapped, 300));
                assertEquals(0, mapped.get(ValueLayout.JAVA_BYTE, 201 * PAGE));
            }
            // What this is about: reading does touch.
            try (PageMap map = PageMap.of(self.process()).orElseThrow()) {
                assertTrue(touched(map, mapped, 300).containsAll(List.of(100, 201)),
                        touched(map, mapped, 300).toString());
            }
        } finally {
            Files.deleteIfExists(file);
        }
    }

    private static List<Integer> touched(PageMap map, MemorySegment mapped, int pages) {
        boolean[] untouched = map.untouched(mapped.address() / PAGE, pages);
        return IntStream.range(0, pages).filter(page -> !untouched[page]).boxed().toList();
    }

    @Test
    void aLargeReadIntoTheHeapGoesByPieces() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(3 << 20);
            for (long i = 0; i < source.byteSize(); i += 8) {
                source.set(ValueLayout.JAVA_LONG, i, i * 0x9e3779b97f4a7c15L);
            }
            MemorySegment target = MemorySegment.ofArray(new byte[(3 << 20) - 5]);
            assertEquals(target.byteSize(), self.read(source.address() + 5, target));
            assertEquals(-1, MemorySegment.mismatch(source, 5, source.byteSize(), target, 0, target.byteSize()));
        }
    }

    @Test
    void aProcessThatIsGone() throws Exception {
        Process ended = new ProcessBuilder("true").start();
        ended.waitFor();
        ProcessMemory memory = new ProcessMemory((int) ended.pid());
        SourceException error =
                assertThrows(SourceException.class, () -> memory.read(4096, MemorySegment.ofArray(new byte[1])));
        assertTrue(error.getMessage().contains("ended while its memory was read"), error.getMessage());
    }

    private static void protect(MemorySegment pages, int rights) throws Throwable {
        var mprotect = Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow("mprotect"),
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT,
                                ValueLayout.ADDRESS,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_INT));
        assertEquals(0, (int) mprotect.invokeExact(pages, pages.byteSize(), rights));
    }
}

package dev.guestcore.live.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.SourceException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;
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
                RegionContents contents = new ProcessContents(self, pages.address(), Optional.empty());
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
        assertTrue(error.getMessage().contains("is gone"), error.getMessage());
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

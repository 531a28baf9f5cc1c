package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands that only look at a live guest: how they freeze it, and that they tell for how long. */
class LookTest {

    @TempDir
    private Path folder;

    private static void stoodStill(String way, String... arguments) {
        String err = Run.of(arguments).expect(0).err();
        assertTrue(err.matches("the guest stood still for [0-9.]+ [mµ]?s \\(" + way + "\\)\\R"), err);
    }

    @Test
    void theyTellHowLongItStoodStill() {
        stoodStill("direct", "regs", "demo:");
        stoodStill("direct", "read", "demo:", "0x1000", "16");
        stoodStill("direct", "info", "demo:");
        stoodStill("buffer", "info", "--scan", "demo:");
        stoodStill("buffer", "read", "demo:", "0x1000", "16", "--freeze", "buffer");
        stoodStill("direct", "map", "demo:", "--freeze", "direct");
    }

    @Test
    void aFileDoesNotStandStill() {
        Path file = folder.resolve("demo.core");
        String report = Run.of("capture", "demo:", "-o", file.toString(), "--to", "vbox").expect(0).out();
        assertTrue(report.contains("host  memory for the guest's pages is taken until the file is written"), report);
        assertEquals("", Run.of("regs", file.toString()).expect(0).err());
        Run.of("regs", file.toString(), "--freeze", "buffer").failsWith(ExitCode.FAILED, "does not run");
        Run.of("regs", "demo:", "--freeze", "never").expect(ExitCode.USAGE);
    }

    @Test
    void whatIsHeldBackComesOutLater() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Console console = new Console(out, new ByteArrayOutputStream(), Console.Terminal.none());
        console.hold();
        console.out().print("a");
        console.flush();
        assertEquals(0, out.size());
        console.release();
        console.flush();
        assertEquals("a", out.toString(StandardCharsets.UTF_8));
        console.hold();
        console.out().print("b".repeat(9 << 20));
        console.flush();
        assertEquals(1 + (9 << 20), out.size(), "not without end");
    }

    @Test
    void aDryRunWritesNothing() throws IOException {
        Path file = folder.resolve("dry.core");
        Run dry = Run.of("capture", "demo:", "-o", file.toString(), "--to", "vbox", "--dry-run").expect(0);
        for (String part : List.of("by    buffer", "size  about ", "are free in " + folder, "host  ")) {
            assertTrue(dry.out().contains(part), dry.out());
        }
        assertFalse(dry.out().contains("done"));
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(List.of(), files.toList());
        }
        Run.of("capture", "demo:", "-o", file.toString(), "--to", "vbox", "--dry-run", "--freeze", "snapshot")
                .failsWith(ExitCode.FAILED, "only QEMU can take one");
    }

    @Test
    void aTimeLimitIsOne() {
        Run.of("regs", "demo:", "--timeout", "0").expect(ExitCode.USAGE);
        Run.of("capture", "demo:", "-o", folder.resolve("x").toString(), "--to", "raw", "--timeout", "5").expect(0);
    }
}

package dev.guestcore.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The examples do what their texts say, on the jars that users get. */
class ExamplesIT {

    private static final Path EXAMPLES = Packaged.checkout().resolve("examples");

    @TempDir
    static Path folder;

    private static String jdk(String program) {
        return Path.of(System.getProperty("java.home"), "bin", program).toString();
    }

    @BeforeAll
    static void compileTheEmulator() throws IOException {
        Path source = EXAMPLES.resolve("emulator/src/main/java/example/Emulator.java");
        String said = ForeignTools.output(
                jdk("javac"), "-Xlint:all", "-cp", Packaged.modules() + "/*", "-d", folder.toString(),
                source.toString());
        assertEquals("", said);
        List<String> lines = Files.readAllLines(source);
        assertTrue(lines.size() < 70, "an example is short: " + lines.size() + " lines");
    }

    private static Path core(String name, String format) {
        Path core = folder.resolve(name);
        String said = ForeignTools.output(
                jdk("java"), "-cp", folder + ":" + Packaged.modules() + "/*", "example.Emulator", core.toString(),
                format);
        assertTrue(said.contains(" of them memory\n"), said);
        return core;
    }

    @ParameterizedTest
    @ValueSource(strings = {"elf", "vbox"})
    void anEmulatorWritesCoresThatOthersOpen(String format) {
        ForeignTools.require("readelf");
        Path core = core("emulator." + format, format);
        String header = ForeignTools.output("readelf", "-hlW", core.toString());
        assertTrue(header.contains("CORE (Core file)"), header);
        assertTrue(header.matches("(?s).*LOAD +0x\\w+ 0x0{16} 0x0{16} 0x100000 0x100000.*"), header);
        assertTrue(header.matches("(?s).*LOAD +0x\\w+ 0x\\w+ 0x00000000ffff0000 0x010000 0x010000.*"), header);
        try (Guest guest = Guests.open(core)) {
            assertEquals(0x7c00, guest.vcpus().getFirst().registers().get(X86.RIP));
        }
    }

    @Test
    void aScriptAnalysesIt() {
        Path core = core("analysed", "elf");
        String said = ForeignTools.output(
                jdk("java"),
                "-p",
                Packaged.modules().toString(),
                "--add-modules",
                "dev.guestcore",
                EXAMPLES.resolve("analysis/Where.java").toString(),
                core.toString(),
                "Frozen and kept");
        assertEquals("""
                vCPU 0 at 0x7c00: f4 00 00 00 00 00 00 00
                "Frozen and kept" at 0x1000 in ram
                """, said);
    }
}

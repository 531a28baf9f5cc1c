package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SymbolsVerbTest {

    @TempDir
    Path folder;

    private String guest = "";

    @BeforeEach
    void makeGuest() throws IOException {
        guest = LinuxGuest.in(folder);
    }

    private static List<String> lines(int code, String... arguments) {
        return Run.of(arguments).expect(code).out().lines().toList();
    }

    private static void isUsage(String message, String... arguments) {
        Run run = Run.of(arguments).expect(ExitCode.USAGE);
        assertTrue(run.err().contains(message), run.err());
    }

    @Test
    void allSymbolsAreShownAsTheKernelLists() {
        List<String> lines = lines(0, "symbols", guest);
        assertEquals("0000000000000000 A __per_cpu_start", lines.getFirst());
        assertEquals("ffffffff83200000 B __init_scratch_end", lines.getLast());
        assertTrue(lines.contains("ffffffff82c03010 T function_0"));
        assertEquals(1810, lines.size());
    }

    @Test
    void symbolsAreFoundByNamePatternAndAddress() {
        assertEquals(List.of("ffffffff82c031d0 t function_7"), lines(0, "symbols", guest, "function_7"));
        assertEquals(
                List.of("ffffffff82c03110 T function_4", "ffffffff82c03150 t function_5"),
                lines(0, "symbols", guest, "function_4", "function_5"));
        assertEquals(100, lines(0, "symbols", guest, "function_1??").size());
        assertEquals(0, lines(1, "symbols", guest, "unction_1??").size());
        assertEquals(
                List.of("ffffffff82c03112 T function_4+0x2"), lines(0, "symbols", guest, "0xffffffff82c03112"));
        assertEquals(List.of("ffffffff82c03112 T function_4+0x2"), lines(0, "symbols", guest, "ffffffff82c03112"));
    }

    @Test
    void filtersLeaveOthersOut() {
        assertEquals(List.of("ffffffff83000000 B _end"),
                lines(0, "symbols", guest, "_*", "--type", "Bb").subList(0, 1));
        Run none = Run.of("symbols", guest, "--module", "nvme").expect(1);
        assertEquals("", none.out());
        assertTrue(none.err().startsWith("guestcore: no symbols of module 'nvme'; "), none.err());
        assertEquals(1810, lines(0, "symbols", guest, "--module", "kernel").size());
        assertEquals(0, lines(1, "symbols", guest, "function_7", "--type", "T").size());
    }

    @Test
    void whatIsNotFoundIsNamed() {
        Run run = Run.of("symbols", guest, "_end", "nothing", "0x10").expect(1);
        assertEquals("ffffffff83000000 B _end", run.out().strip());
        assertTrue(run.err().contains("guestcore: no symbol nothing"), run.err());
        assertTrue(run.err().contains("guestcore: no symbol 0x10"), run.err());
        isUsage("'0xzz' is not an address", "symbols", guest, "0xzz");
    }

    @Test
    void aSystemMapHasTheAddressesThatTheKernelWasLinkedFor() throws IOException {
        Path map = folder.resolve("System.map");
        Run.of("symbols", guest, "--to", "system-map", "-o", map.toString()).expect(0);
        List<String> lines = Files.readAllLines(map);
        assertEquals(1810, lines.size());
        assertTrue(lines.contains("0000000000000040 A pcpu_hot"));
        assertTrue(lines.contains("ffffffff81000000 T _text"));
        assertEquals("ffffffff81600000 B __init_scratch_end", lines.getLast());
        Run.of("symbols", guest, "--to", "system-map", "-o", map.toString()).failsWith(ExitCode.FAILED, "exists");
        Run.of("symbols", guest, "--to", "system-map", "--runtime", "--force", "-o", map.toString()).expect(0);
        assertTrue(Files.readAllLines(map).contains("ffffffff82c00000 T _text"));
        assertEquals(lines, lines(0, "symbols", guest, "--to", "system-map"));
    }

    @Test
    void wrongCombinationsAreNamed() {
        isUsage("'map' is not one of system-map", "symbols", guest, "--to", "map");
        isUsage("need --to", "symbols", guest, "--runtime");
        isUsage("leave out --json", "symbols", guest, "--to", "system-map", "--json");
        isUsage("-o with a file", "symbols", guest, "--to", "system-map", "--force");
    }

    @Test
    void aGuestWithoutLinuxIsALine() {
        Run run = Run.of("symbols", "demo:").expect(1);
        assertTrue(run.err().contains("no Linux kernel found"), run.err());
        assertFalse(run.err().contains("Exception"), run.err());
    }
}

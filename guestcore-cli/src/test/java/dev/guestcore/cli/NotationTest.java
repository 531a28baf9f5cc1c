package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine.TypeConversionException;

/** What is printed can be typed: addresses, ranges and sizes mean the same when they are read back. */
class NotationTest {

    private static final Pattern HEX = Pattern.compile("(?<![\\w.])0x[0-9a-f]+\\b");
    /** A number that a reader takes for hexadecimal or for an address, without saying so. */
    private static final Pattern BARE = Pattern.compile("(?<![\\w.,:…-])(?:0[0-9a-f]{3,}|[0-9a-f]{8,16})(?![\\w.-])");

    @TempDir
    Path folder;

    private String guest = "";

    @BeforeEach
    void describeGuest() throws IOException {
        guest = PagedGuest.in(folder);
    }

    private static long address(String text) {
        return new Quantity.Address().convert(text);
    }

    private static long length(String text) {
        return new Quantity.Length().convert(text);
    }

    /** Runs every verb that prints addresses, at the usual width and at one where lines are shortened. */
    private List<String> outputs() {
        List<List<String>> commands = List.of(
                List.of("info", guest),
                List.of("info", "--scan", guest),
                List.of("info", "demo:"),
                List.of("regs", guest),
                List.of("regs", "demo:"),
                List.of("read", guest, "0x200100", "64"),
                List.of("read", guest, "--virtual", "0xffffffff81200ff0", "32"),
                List.of("map", guest),
                List.of("map", "--scan", "demo:ram=4M"),
                List.of("map", "--virtual", guest),
                List.of("map", "--svg", "-", guest),
                List.of("translate", guest, "0xffffffff81000123"),
                List.of("translate", guest, "0xffffffff81601234"),
                List.of("search", guest, "needle"),
                List.of("search", guest, "--virtual", "needle"),
                List.of("diff", "demo:ram=4M", guest));
        List<String> outputs = new ArrayList<>();
        for (List<String> command : commands) {
            for (int width : new int[] {80, 120}) {
                Console.Terminal terminal = new Console.Terminal(true, false, false, width);
                String output = Run.of(terminal, command.toArray(String[]::new)).out();
                assertFalse(output.isEmpty(), command.toString());
                outputs.add(output.replaceAll("(?s)<style>.*</style>", "").replaceAll("<[^>]*>", ""));
            }
        }
        return outputs;
    }

    @Test
    void noAddressIsPrintedWithoutItsPrefix() {
        for (String output : outputs()) {
            // Neither the bytes of a hex dump with their text, nor what the guest itself says.
            String text = output.replaceAll("(?m)  [0-9a-f?]{2} [0-9a-f? ]{20,}\\|.*$", "");
            Matcher bare = BARE.matcher(text);
            assertFalse(bare.find(), () -> "'" + bare.group() + "' in:\n" + output);
            assertTrue(HEX.matcher(text).find(), output);
        }
    }

    @Test
    void whatIsPrintedOfARegionReadsBackAsTheRegion() {
        String map = Run.of("map", guest).expect(0).out();
        String info = Run.of("info", "--all", guest).expect(0).out();
        try (Guest opened = Guests.open(guest)) {
            for (MemoryRegion region : opened.memory().regions()) {
                AddressRange range = region.range();
                String row = "(?m)^ *(0x[0-9a-f]+) +(?:(0x[0-9a-f]+) +)?\\D*?(~?[0-9.]+ [KMGT]?i?B) .*$";
                assertTrue(reads(row, map, range, false), () -> range + " in:\n" + map);
                assertTrue(reads(row, info, range, true), () -> range + " in:\n" + info);
            }
        }
    }

    private static boolean reads(String row, String text, AddressRange range, boolean last) {
        Matcher rows = Pattern.compile(row).matcher(text);
        while (rows.find()) {
            if (address(rows.group(1)) == range.first()
                    // A rounded size says so, and is refused.
                    && (rows.group(3).startsWith("~") || length(rows.group(3)) == range.size())
                    && (!last || address(rows.group(2)) == range.last())) {
                return true;
            }
        }
        return false;
    }

    @Test
    void anAddressOfAFindOrADumpCanBeReadAgain() {
        String found = Run.of("search", guest, "needle", "--limit", "1").expect(0).out();
        Matcher addresses = HEX.matcher(found);
        assertTrue(addresses.find());
        String text = Run.of("read", guest, addresses.group(), "6").expect(0).out();
        assertTrue(text.contains("needle"), text);
        assertEquals(0x5000, address(addresses.group()));
        String registers = Run.of("regs", guest, "--cpu", "0").expect(0).out();
        Matcher root = Pattern.compile("\\bcr3 +(0x[0-9a-f]{16})\\b").matcher(registers);
        assertTrue(root.find(), registers);
        assertEquals(0x1000, address(root.group(1)));
    }

    @ParameterizedTest
    @CsvSource({
        "64 KiB, 65536", "64KiB, 65536", "1.5 GiB, 1610612736", "1.25 MiB, 1310720", "12 B, 12", "2 TiB, 2199023255552",
        "0x10K, 16384", "4k, 4096", "0, 0", "0x0000000000100000, 1048576", "1_000, 1000", "0X1F, 31", "0x1b, 27",
        "'1,204', 1204", "0.5 KiB, 512", "1 PiB, 1125899906842624", "1EiB, 1152921504606846976"
    })
    void readsWhatIsPrinted(String text, long expected) {
        assertEquals(expected, address(text));
        assertEquals(expected, length(text));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 1023, 1024, 4096, 640 << 10, 3L << 30, 7L << 29, 5L << 40, 1L << 60, 65 << 20})
    void exactSizesReadBack(long bytes) {
        assertEquals(bytes, length(Amounts.human(bytes)));
        assertEquals(bytes, length(Amounts.human(bytes).replace(" ", "").replaceAll("([0-9])B", "$1 B")));
        assertEquals(bytes, length(Amounts.count(bytes)));
    }

    @ParameterizedTest
    @CsvSource({
        "0000000000100000, write 0x0000000000100000", "007, write 0x007", "ffff8000, write 0xffff8000",
        "1b, write 0x1b",
        "12e, write 0x12e", "10B, write 0x10B", "64 KB, write 64KiB", "~1.3 MiB, tilde", "1.3 MiB, whole number",
        "1.5, whole number", "'1,20', 4096", "'12,', 4096", "0x, 4096"
    })
    void refusesWhatMightMeanSomethingElse(String text, String remedy) {
        String message =
                assertThrows(TypeConversionException.class, () -> address(text)).getMessage();
        assertTrue(message.contains(remedy), message);
    }

    @Test
    void saysSoOnTheCommandLine() {
        Run.of("read", guest, "0000000000100000").refuses("'0000000000100000'", "begins with 0", "0x0000000000100000");
        Run.of("translate", guest, "ffffffff81000000").refuses("write 0xffffffff81000000");
        Run.of("search", guest, "a", "--range", "1000-001fff").refuses("'001fff'", "0x001fff");
        Run.of("read", guest, "0x5000", "16 B").expect(0);
    }
}

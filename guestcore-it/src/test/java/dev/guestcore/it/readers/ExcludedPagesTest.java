package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.it.linux.KnownLinux;
import dev.guestcore.linux.PageKinds;
import dev.guestcore.linux.export.FilteredGuest;
import dev.guestcore.linux.export.PageFilter;
import dev.guestcore.open.Guests;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pages are left out of a Linux guest as makedumpfile leaves them out, page by page. */
@Tag("slow")
@Tag("foreign")
class ExcludedPagesTest {

    private static final long PAGE = 4096;

    /** Above lies firmware, which makedumpfile drops whole. */
    private static final long RAM = 512L << 20;

    @TempDir
    private static Path folder;

    private static Path whole;

    /** QEMU's is flattened, which makedumpfile does not filter. */
    @BeforeAll
    static void convert() {
        whole = folder.resolve("whole");
        try (Guest guest = Guests.open(KnownLinux.STOCK.kdump().toString())) {
            Guests.format("kdump").writer(Map.of()).write(guest, whole, Progress.none());
        }
    }

    @ParameterizedTest
    @CsvSource({"2, CACHE", "4, CACHE PRIVATE_CACHE", "8, USER", "16, FREE"})
    void theSamePagesAreLeftOut(int level, String names) {
        Set<PageKinds.Kind> kinds = EnumSet.noneOf(PageKinds.Kind.class);
        for (String name : names.split(" ")) {
            kinds.add(PageKinds.Kind.valueOf(name));
        }
        Path filtered = folder.resolve("filtered-" + level);
        Program program = Program.run("makedumpfile", "-l", "-d", Integer.toString(level), whole, filtered);
        assertEquals(0, program.status(), program::all);
        try (Guest expected = Guests.open(filtered.toString());
                FilteredGuest found =
                        PageFilter.of(kinds).apply(Guests.open(whole.toString()), Progress.none())) {
            assertEquals(0, found.unknownPages());
            List<String> different = new ArrayList<>();
            long left = 0;
            for (long address = 0; address < RAM; address += PAGE) {
                PageState theirs = expected.memory().runAt(address).state();
                PageState ours = found.memory().runAt(address).state();
                if (theirs == PageState.EXCLUDED != (ours == PageState.EXCLUDED)) {
                    different.add(Long.toHexString(address) + " " + theirs + " " + ours);
                }
                left += ours == PageState.EXCLUDED ? PAGE : 0;
            }
            assertEquals(List.of(), different);
            assertTrue(left > PAGE * 100, () -> "only little is left out: " + found.leftOut());
            assertEquals(left, found.leftOut().values().stream().mapToLong(Long::longValue).sum());
        }
    }

    @Test
    void crashOpensWhatIsLeft() throws Exception {
        Path vmlinux = folder.resolve("vmlinux");
        String source = whole.toString();
        CommandLine.run(folder, "symbols", source, "--to", "vmlinux", "-o", vmlinux.toString()).expect(0);
        Path commands = Files.writeString(folder.resolve("commands"), "bt -a\nmod\nmount\nlog\nquit\n");
        String expected = Program.runWithInput(commands, "crash", "-s", vmlinux, source).output();
        assertTrue(expected.contains("Linux version"), expected);
        for (String format : List.of("elf", "kdump")) {
            Path core = folder.resolve("left." + format);
            String told = CommandLine.run(
                    folder, "convert", source, "--to", format, "-o", core.toString(), "--exclude", "all")
                    .expect(0)
                    .out();
            assertTrue(told.contains(" of free pages, "), told);
            assertTrue(Files.size(core) < RAM / 4, () -> "too large: " + core);
            assertEquals(expected, Program.runWithInput(commands, "crash", "-s", vmlinux, core).output());
        }
    }
}

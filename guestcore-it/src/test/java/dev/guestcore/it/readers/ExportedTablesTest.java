package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.linux.KnownLinux;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.export.IsfExport;
import dev.guestcore.linux.export.SystemMap;
import dev.guestcore.open.Guests;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Tables of symbols that are made from memory name what the guest's kernel named, where it was linked to be. */
@Tag("slow")
@Tag("foreign")
class ExportedTablesTest {

    /** Where the kernel of a PC is linked to begin. */
    private static final long LINKED = 0xffffffff81000000L;

    /** Behind the end of the image, but moved with it. */
    private static final Set<String> BEHIND = Set.of("__init_scratch_begin", "__init_scratch_end", "sme_workarea");

    @TempDir
    private Path folder;

    /** Link addresses of the kernel's own symbols; a name that occurs several times has several. */
    private static Map<String, Set<Long>> truth(KnownLinux known) {
        Map<String, Set<Long>> runtime = new HashMap<>();
        known.truth().lines("proc/kallsyms").forEach(line -> {
            String[] words = line.split("[ \t]");
            if (words.length == 3) {
                runtime.computeIfAbsent(words[2], name -> new HashSet<>(2)).add(Long.parseUnsignedLong(words[0], 16));
            }
        });
        long start = runtime.get("_text").iterator().next();
        Map<String, Set<Long>> linked = new HashMap<>();
        runtime.forEach((name, addresses) -> addresses.forEach(address -> linked
                .computeIfAbsent(name, any -> new HashSet<>(2))
                .add(Long.compareUnsigned(address, start) < 0 ? address : address - start + LINKED)));
        return linked;
    }

    @ParameterizedTest
    @EnumSource(names = {"STOCK", "NEWER"})
    void volatilitysTableIsSoundAndHasEverySymbol(KnownLinux known) throws Exception {
        Map<String, Set<Long>> truth = truth(known);
        Path isf = folder.resolve("isf.json");
        Path map = folder.resolve("System.map");
        try (Guest guest = Guests.open(known.kdump().toString());
                OutputStream table = Files.newOutputStream(isf);
                OutputStream lines = Files.newOutputStream(map)) {
            Linux linux = Linux.of(guest);
            IsfExport.write(linux, table, false, "guestcore test");
            SystemMap.write(linux, false, lines);
        }
        Program program = Program.python("isf_check.py", "json", "python3", "", isf);
        assertEquals("", program.errors());
        Set<String> names = new HashSet<>();
        program.output().lines().forEach(line -> {
            int space = line.indexOf(' ');
            String name = line.substring(space + 1);
            names.add(name);
            assertIsTrue(truth, name, Long.parseUnsignedLong(line.substring(0, space)));
        });
        assertEquals(truth.keySet(), names);
        assertTrue(names.containsAll(BEHIND));
        try (Stream<String> lines = Files.lines(map)) {
            long count = lines.peek(line -> assertIsTrue(
                    truth, line.substring(19), Long.parseUnsignedLong(line.substring(0, 16), 16)))
                    .distinct()
                    .count();
            assertTrue(count >= truth.values().stream().mapToInt(Set::size).sum(), "symbols are missing");
        }
    }

    private static void assertIsTrue(Map<String, Set<Long>> truth, String name, long address) {
        assertTrue(truth.getOrDefault(name, Set.of()).contains(address),
                () -> name + " at " + Long.toHexString(address));
    }
}

package dev.guestcore.format.xen;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Our reader and writer on what Xen 4.17 wrote, against the truth taken beside it. */
class XenSamplesTest {

    @TempDir
    private Path folder;

    static Stream<String> whole() {
        return Stream.concat(Samples.XEN_MINI.stream(), Samples.XEN_OTHERS.stream())
                .filter(sample -> !sample.endsWith("diskfull"));
    }

    @ParameterizedTest
    @MethodSource("whole")
    void registersAreThoseOfXenctx(String sample) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            List<Map<String, Long>> truth = XenTruth.registers(sample);
            assertFalse(truth.isEmpty());
            assertEquals(truth.size(), guest.vcpus().size());
            for (int i = 0; i < truth.size(); i++) {
                RegisterState registers = guest.vcpus().get(i).registers();
                Map<String, Long> expected = new HashMap<>(truth.get(i));
                if (expected.containsKey("gs_kernel")) {
                    boolean user = registers.get(X86.RIP) > 0;
                    expected.put("gs.base", expected.get(user ? "gs_user" : "gs_kernel"));
                    expected.put("kernel_gs_base", expected.get(user ? "gs_kernel" : "gs_user"));
                    expected.remove("gs_kernel");
                    expected.remove("gs_user");
                }
                if (sample.endsWith("pv32-mini")) {
                    // xenctx prints it folded: the frame is 0x13d514.
                    assertEquals(0x3d514001L, expected.put("cr3", 0x13d514000L));
                }
                assertTrue(expected.size() >= 20, expected.toString());
                expected.forEach((label, value) -> assertEquals(
                        Long.toHexString(value),
                        Long.toHexString(registers.get(X86.ofLabel(label).orElseThrow())),
                        label));
                assertFalse(registers.knows(X86.EFER));
                assertFalse(registers.knows(X86.CS_BASE));
            }
        }
    }

    @ParameterizedTest
    @MethodSource("whole")
    void aRewrittenFileIsTheSame(String sample) throws IOException {
        Path copy = folder.resolve("copy");
        try (Guest guest = Guests.open(Samples.core(sample))) {
            assertEquals(List.of(), guest.findings());
            assertEquals(
                    Files.size(Samples.core(sample)), XenDumpCoreWriter.asSource().plan(guest).size());
            WriteReport report = XenDumpCoreWriter.asSource().write(guest, copy, Progress.none());
            assertEquals(List.of(), report.losses());
            assertEquals(0, report.unreadableBytes());
        }
        assertEquals(-1, Files.mismatch(Samples.core(sample), copy));
    }

    @ParameterizedTest
    @MethodSource("whole")
    void everyRuleIsKept(String sample) {
        try (FileBytes file = FileBytes.open(Samples.core(sample))) {
            List<Check> checks = new XenDumpCoreFormat().rules(file, true, Progress.none());
            assertTrue(checks.size() == 42);
            assertEquals(
                    List.of(),
                    checks.stream()
                            .filter(check -> check.result() == Check.Result.FAIL
                                    || check.result() == Check.Result.SKIPPED && !check.found().startsWith("not a PV"))
                            .toList());
        }
    }

    @Test
    void verifyKnowsWhoStumblesOverWhat() {
        assertEquals(
                Map.of(
                        "xen-05",
                        "libkdumpfile 0.5 crashes on e_machine 3 with .xen_prstatus; crash for x86-64 refuses it",
                        "xen-23",
                        "the page size is stored four bytes too low, as 64-bit tools leave it for 32-bit guests",
                        "xen-36",
                        "crash takes the entry's number for the frame and reads wrong pages",
                        "xen-37",
                        "crash reads 8 KiB at a time and fails at the end of the file"),
                notes("xen/pv32-mini"));
        assertEquals(Set.of("xen-28", "xen-35"), notes("xen/pvh-mini").keySet());
    }

    private static Map<String, String> notes(String sample) {
        try (FileBytes file = FileBytes.open(Samples.core(sample))) {
            return new XenDumpCoreFormat().rules(file, false, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.NOTE)
                    .collect(Collectors.toMap(Check::id, Check::readers));
        }
    }

    @Test
    void aFileCutShortFailsTheChecksThatItShould() {
        try (FileBytes file = FileBytes.open(Samples.core("xen/pv64-mini-diskfull"))) {
            assertEquals(
                    List.of("xen-08", "xen-14"),
                    new XenDumpCoreFormat().rules(file, true, Progress.none()).stream()
                            .filter(check -> check.result() == Check.Result.FAIL)
                            .map(Check::id)
                            .toList());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"xen/pv64-mini", "xen/pv32-mini"})
    void framesAreThoseOfTheHypervisor(String sample) {
        Map<Long, Long> truth = new HashMap<>();
        Matcher matcher = Pattern.compile("pfn=0x([0-9a-f]+) ==> mfn=0x([0-9a-f]+)")
                .matcher(Samples.text(sample, "p2m.txt"));
        while (matcher.find()) {
            truth.put(XenTruth.hex(matcher.group(1)), XenTruth.hex(matcher.group(2)));
        }
        try (Guest guest = Guests.open(Samples.core(sample))) {
            FrameTable frames = guest.facts(XenFacts.class).orElseThrow().frames().orElseThrow();
            assertTrue(frames.hasMachineFrames());
            assertEquals(2042, frames.size());
            GuestMemory machine = guest.machineMemory().orElseThrow();
            byte[] byPfn = new byte[4096];
            byte[] byMfn = new byte[4096];
            for (long i = 0; i < frames.size(); i++) {
                assertEquals(truth.get(frames.pfn(i)), frames.mfn(i));
                guest.memory().read(frames.pfn(i) << 12, MemorySegment.ofArray(byPfn));
                machine.read(frames.mfn(i) << 12, MemorySegment.ofArray(byMfn));
                assertArrayEquals(byPfn, byMfn);
            }
            for (long hole : new long[] {0x7fd, 0x7fb, 0x7fa, 0x7f9, 0x79c, 0x7c0}) {
                assertEquals(PageState.ABSENT, guest.memory().runAt(hole << 12).state());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"xen/pv64-mini", "xen/pv32-mini", "xen/pv64-1"})
    void guestsPatternIsFound(String sample) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            List<Long> frames = XenTruth.patternFrames(sample);
            assertEquals(4, frames.size());
            for (int k = 0; k < 4; k++) {
                assertProbePage(guest.memory(), frames.get(k) << 12, sample.endsWith("mini"), k);
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"xen/pvh-mini", "xen/pvh-mini-si"})
    void patternOfGuestsWithoutConsoleIsFound(String sample) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            int found = 0;
            byte[] bytes = new byte[4096];
            for (MemoryRegion region : guest.memory().regions()) {
                for (long at = region.range().first(); at < region.range().last(); at += 4096) {
                    guest.memory().read(at, MemorySegment.ofArray(bytes));
                    String start = "MINIPVH needle-in-guest-memory-8807d986 page " + found;
                    if (new String(bytes, 0, start.length(), StandardCharsets.ISO_8859_1).equals(start)) {
                        for (int j = start.length() + 1; j < 4096; j++) {
                            assertEquals((byte) (j * 7 + found * 13 + (j >> 8)), bytes[j]);
                        }
                        found++;
                    }
                }
            }
            assertEquals(4, found);
        }
    }

    private static void assertProbePage(GuestMemory memory, long address, boolean mini, int page) {
        byte[] bytes = new byte[4096];
        memory.read(address, MemorySegment.ofArray(bytes));
        String text = new String(bytes, 0, 80, StandardCharsets.ISO_8859_1);
        String needle = "needle-in-guest-memory-8807d986";
        String start = mini ? "MINIPV " + needle + " page " + page : "PROBE cpu=0 page=" + page + " " + needle;
        assertTrue(text.startsWith(start), text);
        for (int j = start.length() + 1; j < 4096; j++) {
            assertEquals((byte) (j * 7 + page * 13 + (j >> 8)), bytes[j], "byte " + j + " of page " + page);
        }
    }

    @Test
    void pageTablesOfAPvGuestAreWalkedByMachineAddress() {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-1"))) {
            GuestMemory machine = guest.machineMemory().orElseThrow();
            long cr3 = guest.vcpus().getFirst().registers().get(X86.CR3);
            for (int page = 0; page < 4; page++) {
                long address = walk(machine, cr3, 0x700000000000L + page * 4096L, 4);
                assertProbePage(machine, address, false, page);
            }
        }
    }

    @Test
    void pageTablesOfOurOwnPvKernelsAreWalked() {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-mini"))) {
            RegisterState registers = guest.vcpus().getFirst().registers();
            GuestMemory machine = guest.machineMemory().orElseThrow();
            assertCode(guest, walk(machine, registers.get(X86.CR3), registers.get(X86.RIP), 4));
        }
        try (Guest guest = Guests.open(Samples.core("xen/pv32-mini"))) {
            RegisterState registers = guest.vcpus().getFirst().registers();
            GuestMemory machine = guest.machineMemory().orElseThrow();
            assertCode(guest, walk(machine, registers.get(X86.CR3), registers.get(X86.RIP), 3));
        }
    }

    /** xenctx shows the guest spinning in "pause; jmp" (f3 90 eb fc), the jump being next. */
    private static void assertCode(Guest guest, long machineAddress) {
        byte[] code = new byte[4];
        guest.machineMemory().orElseThrow().read(machineAddress - 2, MemorySegment.ofArray(code));
        assertArrayEquals(new byte[] {(byte) 0xf3, (byte) 0x90, (byte) 0xeb, (byte) 0xfc}, code);
    }

    private static long walk(GuestMemory machine, long root, long address, int levels) {
        long table = root;
        for (int level = levels; level > 0; level--) {
            long index = address >>> 12 + 9 * (level - 1) & (levels == 3 && level == 3 ? 3 : 0x1ff);
            byte[] bytes = new byte[8];
            machine.read((table & 0xf_ffff_ffff_f000L) + index * 8, MemorySegment.ofArray(bytes));
            table = MemorySegment.ofArray(bytes).get(ValueLayout.JAVA_LONG_UNALIGNED, 0);
            assertEquals(1, table & 1, "entry of level " + level + " is not present");
        }
        return (table & 0xf_ffff_ffff_f000L) + (address & 0xfff);
    }

    @Test
    void machineMemoryIsSafeForManyThreadsAtOnce() throws Exception {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-mini"));
                ExecutorService pool = Executors.newFixedThreadPool(8)) {
            FrameTable frames = guest.facts(XenFacts.class).orElseThrow().frames().orElseThrow();
            List<Future<Integer>> counts = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                counts.add(pool.submit(() -> {
                    int present = 0;
                    for (long entry = 0; entry < frames.size(); entry++) {
                        PageState state = guest.machineMemory().orElseThrow().runAt(frames.mfn(entry) << 12).state();
                        present += state == PageState.PRESENT ? 1 : 0;
                    }
                    return present;
                }));
            }
            for (Future<Integer> count : counts) {
                assertEquals(2042, count.get());
            }
        }
    }

    @Test
    void aFileFromAFullDiskGivesWhatIsThere() {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-mini-diskfull"))) {
            assertEquals(2, guest.vcpus().size());
            assertEquals(List.of(), guest.memory().regions());
            XenFacts facts = guest.facts(XenFacts.class).orElseThrow();
            assertEquals("4.17.7", facts.version().text());
            assertEquals(4096, facts.sharedInfo().orElseThrow().length);
            assertTrue(facts.paravirtualized());
            List<String> messages = guest.findings().stream()
                    .peek(finding -> assertEquals(Severity.DAMAGE, finding.severity()))
                    .map(Finding::message)
                    .toList();
            assertEquals(
                    List.of(
                            "at offset 0x40: the string table, the last thing written, is not in the file of 4194304"
                                    + " bytes: the dump was not finished; sections are told apart by order, size"
                                    + " and type",
                            "at offset 0x4000: .xen_pages: expected 8364032 bytes, found 4177920 before the end of the"
                                    + " file; 1022 of 2042 pages are missing",
                            "at offset 0x7fe000: .xen_p2m: expected 32672 bytes, found 0 before the end of the"
                                    + " file; 1020"
                                    + " pages are there without addresses, so there is no memory"),
                    messages);
        }
    }
}

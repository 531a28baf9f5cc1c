package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Guests;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.X86;
import dev.guestcore.format.Check;
import dev.guestcore.format.FileBytes;
import dev.guestcore.format.WriteReport;
import dev.guestcore.hypervisor.VmcoreInfoFacts;
import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kdumps of one Linux guest, by QEMU and makedumpfile for Guestcore and the other way round. */
class KdumpToolsTest {

    private static final int PAGE = 4096;

    /** Sums all pages below 4 GiB that libkdumpfile can read. */
    private static final String SUM = """
            import kdumpfile, sys, zlib
            dump = kdumpfile.kdumpfile(sys.argv[1])
            total = pages = 0
            for page in range(int(sys.argv[2])):
                total = zlib.crc32(dump.read(kdumpfile.KDUMP_MACHPHYSADDR, page << 12, 4096), total)
                pages += 1
            print(total, pages, dump.attr['linux.uts.release'], dump.attr['cpu.number'])
            """;

    @TempDir
    private static Path folder;

    private static Path elf;
    private static Path qemuKdump;
    private static String release;
    private static long ramPages;

    @TempDir
    private Path own;

    @BeforeAll
    static void dumpOnce() {
        ForeignTools.require("makedumpfile", "crash");
        ForeignTools.requirePython("kdumpfile");
        Path qemuElf = folder.resolve("qemu.elf");
        qemuKdump = folder.resolve("qemu.kdump");
        try (QemuGuest qemu = QemuGuest.linux("GUESTCORE-KDUMP")) {
            qemu.qmp("stop", Map.of());
            qemu.qmp("dump-guest-memory", Map.of("paging", false, "protocol", "file:" + qemuElf));
            qemu.qmp(
                    "dump-guest-memory",
                    Map.of("paging", false, "protocol", "file:" + qemuKdump, "format", "kdump-zlib"));
        }
        // makedumpfile 1.7.2 does not find the program headers of QEMU 7.2, so it gets Guestcore's ELF core.
        elf = folder.resolve("guest.elf");
        try (Guest guest = Guests.open(qemuElf)) {
            Guests.format("elf").writer(Map.of()).write(guest, elf, Progress.none());
        }
        try (Guest guest = Guests.open(elf)) {
            release = guest.facts(VmcoreInfoFacts.class)
                    .flatMap(facts -> facts.value("OSRELEASE"))
                    .orElseThrow();
            ramPages = (guest.memory().regions().getFirst().range().last() + 1) / PAGE;
        }
    }

    private Path makedumpfile(String name, Path source, String... options) {
        Path target = own.resolve(name);
        List<String> command = new ArrayList<>(List.of("makedumpfile"));
        command.addAll(List.of(options));
        command.addAll(List.of(source.toString(), target.toString()));
        ForeignTools.output(command.toArray(String[]::new));
        return target;
    }

    /** Every page that is there has the bytes of the ELF core; counts them. */
    private static long assertPagesOfElf(String location) {
        long present = 0;
        try (Guest found = Guests.open(location);
                Guest expected = Guests.open(elf);
                Arena arena = Arena.ofConfined()) {
            assertEquals(
                    List.of(),
                    found.findings().stream()
                            .filter(finding -> finding.severity() == Finding.Severity.DAMAGE)
                            .toList());
            MemorySegment left = arena.allocate(1 << 20);
            MemorySegment right = arena.allocate(1 << 20);
            for (MemoryRegion region : found.memory().regions()) {
                long address = region.range().first();
                long end = region.range().last() + 1;
                while (address < end) {
                    PageRun run = found.memory().runAt(address);
                    long size = Math.min(1 << 20, Math.min(end, run.range().last() + 1) - address);
                    if (run.state() == PageState.PRESENT) {
                        found.memory().read(address, left.asSlice(0, size));
                        expected.memory().read(address, right.asSlice(0, size));
                        assertEquals(-1, left.asSlice(0, size).mismatch(right.asSlice(0, size)), "near " + address);
                        present += size / PAGE;
                    } else {
                        assertEquals(PageState.EXCLUDED, run.state());
                    }
                    address += size;
                }
            }
            // QEMU hands VMCOREINFO on only where the guest has loaded the driver for that.
            boolean byQemu = location.equals(qemuKdump.toString());
            assertEquals(
                    byQemu ? Optional.empty() : Optional.of(release),
                    found.facts(VmcoreInfoFacts.class).flatMap(facts -> facts.value("OSRELEASE")));
            assertEquals(expected.vcpus().size(), found.vcpus().size());
            for (Vcpu vcpu : expected.vcpus()) {
                assertEquals(
                        vcpu.registers().get(X86.RSP),
                        found.vcpus().get(vcpu.index()).registers().get(X86.RSP));
            }
        }
        return present;
    }

    @Test
    void whatQemuWrote() {
        assertTrue(assertPagesOfElf(qemuKdump.toString()) >= ramPages);
        try (Guest guest = Guests.open(qemuKdump)) {
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.message().contains("name the kernel")));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "-c", "-l", "-p", "-z"})
    void whatMakedumpfileWrote(String codec) {
        String[] whole = codec.isEmpty() ? new String[] {"-d", "0"} : new String[] {codec, "-d", "0"};
        String[] filtered = codec.isEmpty() ? new String[] {"-d", "31"} : new String[] {codec, "-d", "31"};
        assertEquals(ramPages, assertPagesOfElf(makedumpfile("whole", elf, whole).toString()));
        long kept = assertPagesOfElf(makedumpfile("filtered", elf, filtered).toString());
        assertTrue(kept > 1000 && kept < ramPages / 2, kept + " pages kept");
    }

    @Test
    void whatMakedumpfileStreamedOrSplit() throws IOException {
        Path assembled = makedumpfile("assembled", elf, "-c", "-d", "1");
        Path flat = own.resolve("flat");
        Process process = new ProcessBuilder("makedumpfile", "-F", "-c", "-d", "1", elf.toString())
                .redirectOutput(flat.toFile())
                .redirectError(own.resolve("log").toFile())
                .start();
        assertEquals(0, process.onExit().join().exitValue(), Files.readString(own.resolve("log")));
        long pages = assertPagesOfElf(assembled.toString());
        assertEquals(pages, assertPagesOfElf(flat.toString()));

        String[] parts = {own.resolve("one").toString(), own.resolve("two").toString()};
        ForeignTools.output("makedumpfile", "--split", "-c", "-d", "1", elf.toString(), parts[0], parts[1]);
        assertEquals(pages, assertPagesOfElf("split:" + parts[1] + "," + parts[0]));
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "zlib", "lzo", "snappy", "zstd"})
    void whatGuestcoreWrites(String compression) {
        Path kdump = own.resolve("guest.kdump");
        try (Guest guest = Guests.open(elf)) {
            WriteReport report = Guests.format("kdump")
                    .writer(Map.of("compression", compression))
                    .write(guest, kdump, Progress.none());
            assertEquals(0, report.unreadableBytes());
        }
        assertTrue(assertPagesOfElf(kdump.toString()) >= ramPages);
        try (FileBytes file = FileBytes.open(kdump)) {
            assertEquals(
                    List.of(),
                    Guests.format("kdump").verify(file, true, Progress.none()).stream()
                            .filter(check -> check.result() != Check.Result.PASS)
                            .toList());
        }
        String expected = ForeignTools.python(SUM, elf.toString(), Long.toString(ramPages));
        assertEquals(expected, ForeignTools.python(SUM, kdump.toString(), Long.toString(ramPages)));
        assertTrue(expected.contains(release), expected);
        assertEquals(
                release, ForeignTools.output("crash", "--osrelease", kdump.toString()).strip());
        // A makedumpfile without a codec says so and stops; Debian's has zlib and LZO.
        if (!compression.equals("snappy") && !compression.equals("zstd")) {
            long kept = assertPagesOfElf(makedumpfile("filtered", kdump, "-l", "-d", "31").toString());
            long same = assertPagesOfElf(makedumpfile("same", elf, "-l", "-d", "31").toString());
            assertEquals(same, kept);
        }
    }
}

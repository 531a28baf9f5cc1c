package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Cores of one Linux guest as QEMU and makedumpfile write them, opened by Guestcore and compared with what QEMU's
 * {@code pmemsave} saved at the same moment.
 *
 * <p>makedumpfile 1.7.2 does not find the program headers of QEMU 7.2, so it gets Guestcore's ELF core, which is compared
 * first of all.
 */
class ForeignCoresTest {

    private static final long PAGE = 4096;
    private static final long RAM = 512L << 20;

    /** From 0xa0000 on a PC with a graphics card shows its memory, not the guest's RAM. */
    private static final long VGA_WINDOW = 0x20000;

    private static final ComparedGuests WHOLE = new ComparedGuests(RAM - VGA_WINDOW, 0, VGA_WINDOW);

    /** Flags of a page descriptor: how the page is compressed. */
    private static final int STORED = 0;

    private static final int SNAPPY = 4;
    private static final int ZSTD = 0x20;

    private static final int REGISTERS_AT_LEAST = 30;

    @TempDir
    private static Path folder;

    private static List<RegisterState> registers;
    private static Optional<String> release;

    @TempDir
    private Path own;

    @BeforeAll
    static void dumpOnce() throws IOException {
        ForeignTools.require("makedumpfile");
        try (QemuGuest qemu = QemuGuest.linux("GUESTCORE-FOREIGN");
                Guest live = Guests.open(qemu.location())) {
            registers = live.vcpus().stream().map(Vcpu::registers).toList();
            dump(qemu, "qemu.elf", Map.of("paging", false));
            dump(qemu, "qemu-paging.elf", Map.of("paging", true));
            dump(qemu, "qemu.kdump", Map.of("paging", false, "format", "kdump-zlib"));
            Guests.format("elf").writer(Map.of()).write(live, folder.resolve("guestcore.elf"), Progress.none());
            String saved = folder.resolve("memory").toString();
            qemu.qmp("pmemsave", Map.of("val", 0, "size", RAM, "filename", saved));
        }
        try (Guest guest = open("guestcore.elf")) {
            release = release(guest);
            assertTrue(release.isPresent());
        }
    }

    private static void dump(QemuGuest qemu, String name, Map<String, Object> options) {
        Map<String, Object> arguments = new HashMap<>(options);
        arguments.put("protocol", "file:" + folder.resolve(name));
        qemu.qmp("dump-guest-memory", arguments);
    }

    private static Guest open(String name) {
        return Guests.open(folder.resolve(name));
    }

    private static Optional<String> release(Guest guest) {
        return guest.facts(VmcoreInfoFacts.class).flatMap(facts -> facts.value("OSRELEASE"));
    }

    /** What is there of RAM is what QEMU saved, nothing is damaged, registers and release are the guest's. */
    private static ComparedGuests check(Guest found) throws IOException {
        assertEquals(
                List.of(),
                found.findings().stream()
                        .filter(finding -> finding.severity() == Severity.DAMAGE)
                        .toList());
        ComparedGuests.registers(registers, found, REGISTERS_AT_LEAST);
        assertEquals(release, release(found));
        try (FileChannel saved = FileChannel.open(folder.resolve("memory"));
                Guest expected = Guests.open("raw:" + folder.resolve("memory") + "@0")) {
            assertEquals(RAM, saved.size());
            return ComparedGuests.compare(expected, found);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"qemu.elf", "qemu.kdump", "guestcore.elf"})
    void wholeCores(String name) throws IOException {
        try (Guest guest = open(name)) {
            assertEquals(WHOLE, check(guest));
        }
    }

    /** With paging QEMU lists what page tables map, which leaves out a little of the memory; the rest is a hole. */
    @Test
    void coreOfWhatPageTablesMap() throws IOException {
        try (Guest guest = open("qemu-paging.elf")) {
            ComparedGuests compared = check(guest);
            assertEquals(RAM, compared.present() + compared.other(), compared::toString);
            assertTrue(compared.other() < RAM / 100, compared::toString);
        }
    }

    @Test
    void aKdumpOfQemuDoesNotNameTheKernelInItsHeader() {
        try (Guest guest = open("qemu.kdump")) {
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.message().contains("name the kernel")));
        }
    }

    /** QEMU lists the firmware at the end of the first 4 GiB in its ELF cores. */
    @Test
    void firmwareOfQemusCoreIsThatOfOurs() {
        try (Guest qemus = open("qemu.elf");
                Guest ours = open("guestcore.elf")) {
            MemoryRegion firmware = ours.memory().regions().getLast();
            assertEquals(0xffffffffL, firmware.range().last());
            byte[] left = new byte[(int) firmware.range().size()];
            byte[] right = new byte[left.length];
            qemus.memory().read(firmware.range().first(), MemorySegment.ofArray(left));
            ours.memory().read(firmware.range().first(), MemorySegment.ofArray(right));
            assertTrue(Arrays.equals(left, right));
        }
    }

    private Path makedumpfile(String name, String... options) {
        Path target = own.resolve(name);
        List<String> command = new ArrayList<>(List.of("makedumpfile"));
        command.addAll(List.of(options));
        command.add(folder.resolve("guestcore.elf").toString());
        command.add(target.toString());
        ForeignTools.output(command.toArray(String[]::new));
        return target;
    }

    private static ComparedGuests check(String location) throws IOException {
        try (Guest guest = Guests.open(location)) {
            return check(guest);
        }
    }

    /** Everything is either there and right, or known to be left out. */
    private static void checkFiltered(String location) throws IOException {
        ComparedGuests compared = check(location);
        assertEquals(VGA_WINDOW, compared.other(), compared::toString);
        assertEquals(RAM - VGA_WINDOW, compared.present() + compared.excluded(), compared::toString);
        assertTrue(compared.present() > 1000 * PAGE, compared::toString);
        assertTrue(compared.excluded() > RAM / 2, compared::toString);
    }

    @ParameterizedTest
    @CsvSource({"'', 0", "-c, 1", "-l, 2", "-p, 4", "-z, 32"})
    void kdumpsOfMakedumpfile(String option, int flag) throws IOException {
        String[] whole = option.isEmpty() ? new String[] {"-d", "0"} : new String[] {option, "-d", "0"};
        Path kdump = makedumpfile("whole", whole);
        Set<Integer> flags = flags(kdump);
        if ((flag == SNAPPY || flag == ZSTD) && !flags.contains(flag)) {
            String message = "makedumpfile of this machine has no " + (flag == ZSTD ? "zstd" : "snappy");
            System.err.println("SKIPPED: " + message);
            assertEquals(Set.of(STORED), flags);
            abort(message);
        }
        assertTrue(flags.contains(flag) && flags.stream().allMatch(found -> found == STORED || found == flag),
                flags::toString);
        assertEquals(WHOLE, check(kdump.toString()));

        whole[whole.length - 1] = "31";
        checkFiltered(makedumpfile("filtered", whole).toString());
    }

    /** What the descriptors of the first pages say, read from the header's numbers alone. */
    private static Set<Integer> flags(Path kdump) throws IOException {
        try (FileChannel file = FileChannel.open(kdump)) {
            ByteBuffer header = ByteBuffer.allocate(440).order(ByteOrder.LITTLE_ENDIAN);
            file.read(header, 0);
            long blockSize = header.getInt(428);
            long descriptors = (1L + header.getInt(432) + header.getInt(436)) * blockSize;
            ByteBuffer table = ByteBuffer.allocate(24 * 4096).order(ByteOrder.LITTLE_ENDIAN);
            file.read(table, descriptors);
            Set<Integer> flags = new TreeSet<>();
            for (int at = 0; at < table.position(); at += 24) {
                flags.add(table.getInt(at + 12));
            }
            return flags;
        }
    }

    @Test
    void elfCoresOfMakedumpfile() throws IOException {
        assertEquals(WHOLE, check(makedumpfile("whole", "-E", "-d", "0").toString()));
        checkFiltered(makedumpfile("filtered", "-E", "-d", "31").toString());
    }

    @ParameterizedTest
    @ValueSource(strings = {"-c", "-l", "-E"})
    void flattenedCoresOfMakedumpfile(String option) throws Exception {
        Path flattened = own.resolve("flattened");
        Process process = new ProcessBuilder(
                "makedumpfile", "-F", option, "-d", "31", folder.resolve("guestcore.elf").toString())
                .redirectOutput(flattened.toFile())
                .redirectError(own.resolve("log").toFile())
                .start();
        assertEquals(0, process.waitFor(), Files.readString(own.resolve("log")));
        checkFiltered(flattened.toString());
    }

    @Test
    void splitKdumpsOfMakedumpfile() throws IOException {
        List<String> parts = List.of(
                own.resolve("one").toString(),
                own.resolve("two").toString(),
                own.resolve("three").toString());
        List<String> command = new ArrayList<>(List.of("makedumpfile", "--split", "-l", "-d", "31"));
        command.add(folder.resolve("guestcore.elf").toString());
        command.addAll(parts);
        ForeignTools.output(command.toArray(String[]::new));
        checkFiltered("split:" + String.join(",", parts.reversed()));
    }
}

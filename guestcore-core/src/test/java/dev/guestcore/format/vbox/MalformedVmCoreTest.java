package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Probe;
import dev.guestcore.report.Severity;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Damaged and hostile files: what is refused, what is read with a finding, and that nothing else happens. */
class MalformedVmCoreTest {

    private static final int NOTE_HEADER = 64;
    private static final int SECOND_CPU = SmallCore.FIRST_CPU + 20 + 8784;
    private static final int LAST_LOAD = SmallCore.LOADS + 2 * 56;

    @TempDir
    private Path folder;

    private static byte[] changed(Consumer<ByteBuffer> change) {
        byte[] bytes = SmallCore.bytes();
        change.accept(SmallCore.buffer(bytes));
        return bytes;
    }

    private static Arguments of(String name, Consumer<ByteBuffer> change, String message) {
        return Arguments.argumentSet(name, change, message);
    }

    static Stream<Arguments> refused() {
        return Stream.of(
                of("no ELF", core -> core.put(0, (byte) 0x7e),
                        "at offset 0x0: ELF header: expected 7f 45 4c 46 02 01, found 7e 45 4c 46 02 01; this is not an"
                                + " ELF file of a known class"),
                of("32 bit", core -> core.put(4, (byte) 1),
                        "at offset 0x4: EI_CLASS: expected 2 (64-bit), found 1 (32-bit); VirtualBox writes 64-bit cores"
                                + " only"),
                of("big-endian", core -> core.put(5, (byte) 2),
                        "at offset 0x5: EI_DATA: expected 1 (little-endian), found 2 (big-endian); VirtualBox writes"
                                + " little-endian cores only"),
                of("an executable", core -> core.putShort(16, (short) 2),
                        "at offset 0x10: e_type: expected 4 (core), found 2; this ELF file is no core"),
                of("header size", core -> core.putShort(54, (short) 32),
                        "at offset 0x36: e_phentsize: expected 56, found 32; the program headers cannot be told apart"),
                of("headers outside", core -> core.putLong(32, 1L << 40),
                        "at offset 0x20: e_phoff: expected 64 to 30228 (the size of the file), found 1099511627776; the"
                                + " program headers lie outside the file"),
                of("headers before the file", core -> core.putLong(32, -1),
                        "at offset 0x20: e_phoff: expected 64 to 30228 (the size of the file), found"
                                + " 18446744073709551615; the program headers lie outside the file"),
                of("no headers", core -> core.putShort(56, (short) 0),
                        "at offset 0x0: notes: expected a note VBCORE or VBOXCORE of type 0xb00, found no PT_NOTE; this"
                                + " ELF core is not from VirtualBox, or it is cut short before its notes"),
                of("other name", core -> core.put(SmallCore.NOTES + 12, (byte) 'X'),
                        "at offset 0x120: notes: expected a note VBCORE or VBOXCORE of type 0xb00, found none; this ELF"
                                + " core is not from VirtualBox, or it is cut short before its notes"),
                of("other type", core -> core.putInt(SmallCore.NOTES + 8, 0xb02),
                        "at offset 0x120: notes: expected a note VBCORE or VBOXCORE of type 0xb00, found none; this ELF"
                                + " core is not from VirtualBox, or it is cut short before its notes"),
                of("magic", core -> core.putInt(SmallCore.DESCRIPTOR, 0x12345678),
                        "at offset 0x134: u32Magic of the core descriptor: expected 0xc01ac0de, found 0x12345678; the"
                                + " note has VirtualBox's name but not its content"),
                of("short descriptor", core -> core.putInt(SmallCore.NOTES + 4, 20),
                        "at offset 0x124: size of note VBCORE: expected 24, found 20; the core descriptor is cut short,"
                                + " so neither its version nor its number of vCPUs is known"),
                of("unknown CPU state", core -> {
                    core.putInt(SmallCore.DESCRIPTOR + 4, 0x00010007);
                    core.putInt(SmallCore.FIRST_CPU + 4, 8792);
                },
                        "at offset 0x138: format version and size of the CPU state: expected version 0x10000 with"
                                + " 1024 or"
                                + " 1088 bytes, 0x10002 with 8736, 0x10003 with 8752 or 8744, 0x10005 with 8768,"
                                + " 0x10006"
                                + " with 8784 or 8776, found version 0x10007 with 8792 bytes; a newer or unreleased"
                                + " VirtualBox wrote this; a newer Guestcore may read it"),
                of("unknown version without vCPU", core -> {
                    core.putInt(SmallCore.DESCRIPTOR + 4, 0x00010007);
                    core.putLong(NOTE_HEADER + 32, 44);
                },
                        "at offset 0x138: format version: expected 0x10000, 0x10002, 0x10003, 0x10005 or 0x10006, found"
                                + " 0x10007 and no CPU state whose size could tell more; a newer or unreleased"
                                + " VirtualBox"
                                + " wrote this; a newer Guestcore may read it"));
    }

    @ParameterizedTest
    @MethodSource("refused")
    void refusesWithOneLine(Consumer<ByteBuffer> change, String message) {
        Path file = SmallCore.file(folder, changed(change));
        try (FileBytes bytes = FileBytes.open(file)) {
            MalformedDumpException error =
                    assertThrows(MalformedDumpException.class, () -> new VmCoreFormat().open(bytes));
            assertEquals(file + ": " + message, error.getMessage());
            assertTrue(new VmCoreFormat().rules(bytes, true, Progress.none()).size() == Rule.values().length);
        }
    }

    static Stream<Arguments> damaged() {
        return Stream.of(
                of("more vCPUs than notes", core -> core.putInt(SmallCore.DESCRIPTOR + 20, 3),
                        "at offset 0x148: cCpus: expected 2 (the number of CPU notes), found 3; the states of the other"
                                + " vCPUs are lost"),
                of("fewer vCPUs than notes", core -> core.putInt(SmallCore.DESCRIPTOR + 20, 1),
                        "at offset 0x148: cCpus: expected 2 (the number of CPU notes), found 1; the notes decide"),
                of("second state of another size", core -> core.putInt(SECOND_CPU + 4, 8776),
                        "at offset 0x23b4: size of note VBCPU: expected 8784, found 8776; the registers of this"
                                + " vCPU are"
                                + " lost"),
                of("note past its segment", core -> core.putInt(SECOND_CPU + 4, 8792),
                        "at offset 0x23c4: descriptor of note VBCPU: expected 8792 bytes within the notes, which end at"
                                + " offset 0x4614, found only 8784 bytes; the notes are cut short or a size in them is"
                                + " wrong"),
                of("size that overflows", core -> core.putInt(SECOND_CPU + 4, -1),
                        "at offset 0x23c4: descriptor of note VBCPU: expected 4294967295 bytes within the notes, which"
                                + " end at offset 0x4614, found only 8784 bytes; the notes are cut short or a size in"
                                + " them"
                                + " is wrong"),
                of("extended state too long", core -> core.putInt(SmallCore.FIRST_CPU + 20 + 576, 8193),
                        "at offset 0x3a0: cbExt: expected at most 8192, found 8193; all 8192 bytes are read"),
                of("overlap", core -> core.putLong(LAST_LOAD + 24, 0x3000),
                        "1 range overlaps another: 0x3000-0x3fff begins before 0x3fff, where the range before it ends; the"
                                + " range that begins first has the shared addresses"),
                of("range past 2^64", core -> core.putLong(LAST_LOAD + 24, -0x800),
                        "at offset 0xe8: p_paddr and p_memsz: expected a range within 2^64 bytes, found"
                                + " 0xfffffffffffff800 and 0x1000; ignored"),
                of("empty range", core -> core.putLong(LAST_LOAD + 40, 0),
                        "at offset 0xe8: p_paddr and p_memsz: expected a range within 2^64 bytes, found 0x4000 and 0x0;"
                                + " ignored"),
                of("less in the file than in memory", core -> core.putLong(LAST_LOAD + 40, 0x2000),
                        "at offset 0xe8: p_filesz: expected 0 or p_memsz 0x2000, found 0x1000; the memory past"
                                + " p_filesz"
                                + " cannot be read"),
                of("more in the file than in memory", core -> core.putLong(LAST_LOAD + 40, 0x800),
                        "at offset 0xe8: p_filesz: expected 0 or p_memsz 0x800, found 0x1000; p_memsz is used"),
                of("address inside a page", core -> core.putLong(LAST_LOAD + 24, 0x4004),
                        "at offset 0xe8: p_paddr: expected the start of a page, found 0x4004; the range is of whole pages,"
                                + " and its memory may belong to another address"),
                of("offset past the end", core -> core.putLong(LAST_LOAD + 8, 1L << 50),
                        "at offset 0x7614: end of file: expected 1125899906846720 bytes, found 30228; the file is cut"
                                + " short, and memory that should lie past its end cannot be read"),
                of("offset that overflows", core -> core.putLong(LAST_LOAD + 8, -0x800),
                        "at offset 0x7614: end of file: expected more than 2^63 bytes, found 30228; the file is cut"
                                + " short, and memory that should lie past its end cannot be read"),
                of("more headers than the file holds", core -> core.putShort(56, (short) 1000),
                        "at offset 0x40: program headers: expected 1000 (e_phnum), found 538 before the end of the"
                                + " file;"
                                + " the file is cut short and the ranges after that are lost"),
                of("section header outside", core -> {
                    core.putShort(56, (short) 0xffff);
                    core.putLong(40, 1L << 62);
                },
                        "at offset 0x28: e_shoff: expected section header 0, which holds the number of program headers,"
                                + " within 30228 bytes, found 0x4000000000000000; 65535 program headers are read,"
                                + " others"
                                + " are lost"));
    }

    @ParameterizedTest
    @MethodSource("damaged")
    void readsTheRest(Consumer<ByteBuffer> change, String message) {
        Path file = SmallCore.file(folder, changed(change));
        try (Guest guest = SmallCore.open(folder, changed(change))) {
            Finding expected = Finding.damage(file + ": " + message);
            assertTrue(guest.findings().contains(expected), () -> expected + " not in " + guest.findings());
            exercise(guest);
            byte[] ram = new byte[SmallCore.RAM_SIZE];
            guest.memory().read(0, MemorySegment.ofArray(ram));
            assertTrue(Arrays.equals(SmallCore.pattern(SmallCore.RAM_SIZE, 1), ram));
            assertEquals(
                    SmallCore.registers(0).get(X86.RAX),
                    guest.vcpus().getFirst().registers().get(X86.RAX));
        }
    }

    static Stream<Arguments> odd() {
        return Stream.of(
                of("unknown version, known size", core -> core.putInt(SmallCore.DESCRIPTOR + 4, 0x00010007),
                        "at offset 0x138: format version: expected 0x10006 for a CPU state of 8784 bytes, found"
                                + " 0x10007;"
                                + " the size decides"),
                of("self size", core -> core.putInt(SmallCore.DESCRIPTOR + 8, 28),
                        "at offset 0x13c: cbSelf: expected 24, found 28; ignored"),
                of("machine", core -> core.putShort(18, (short) 183),
                        "at offset 0x12: e_machine: expected 62 or 3, found 183; ignored, VirtualBox writes x86 only"),
                of("part of a page", core -> core.putLong(LAST_LOAD + 24, 0x4800).putLong(LAST_LOAD + 32, 0x800)
                        .putLong(LAST_LOAD + 40, 0x800),
                        "at offset 0xe8: p_paddr: expected the start of a page, found 0x4800; VirtualBox writes no such"
                                + " ranges, and some readers leave them out"),
                of("other program header", core -> core.putInt(SmallCore.LOADS + 56, 6),
                        "1 program header is neither PT_LOAD nor PT_NOTE; it is ignored"),
                of("no vCPU", core -> {
                    core.putInt(SmallCore.DESCRIPTOR + 20, 0);
                    core.putLong(NOTE_HEADER + 32, 44);
                },
                        "the core has no vCPU; its memory can be read"));
    }

    @ParameterizedTest
    @MethodSource("odd")
    void notesWhatIsUnusual(Consumer<ByteBuffer> change, String message) {
        Path file = SmallCore.file(folder, changed(change));
        try (Guest guest = SmallCore.open(folder, changed(change))) {
            // Other program headers hold something that is not read.
            Finding expected = message.contains("program header ")
                    ? Finding.omitted(file + ": " + message)
                    : Finding.note(file + ": " + message);
            assertEquals(expected, guest.findings().getFirst());
            // Where the change leaves bytes between notes and ranges to nothing, that is told as well.
            assertTrue(guest.findings().stream().skip(1).allMatch(finding -> finding.severity() == Severity.NOTE
                    && finding.message().contains("nothing refers to")), guest.findings()::toString);
            exercise(guest);
        }
    }

    /** A p_offset that is wrong shows other memory's bytes. */
    @Test
    void rangesThatShareBytesAreDamage() {
        byte[] bytes = changed(core -> core.putLong(LAST_LOAD + 8, core.getLong(LAST_LOAD + 8) - 0x800));
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.severity() == Severity.DAMAGE
                    && finding.message().contains("are memory at 0x1800 and memory at 0x4000 at once")),
                    guest.findings()::toString);
        }
        byte[] overNotes = changed(core -> core.putLong(SmallCore.LOADS + 8, core.getLong(SmallCore.LOADS + 8) - 16));
        try (Guest guest = SmallCore.open(folder, overNotes)) {
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.severity() == Severity.DAMAGE
                    && finding.message().contains("are notes and memory at 0x0 at once")), guest.findings()::toString);
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.message().contains("nothing refers to 16"
                    + " bytes between headers, notes and ranges")), guest.findings()::toString);
        }
    }

    @Test
    void sortsRanges() {
        byte[] bytes = changed(core -> {
            byte[] first = new byte[56];
            byte[] last = new byte[56];
            core.get(SmallCore.LOADS, first).get(LAST_LOAD, last).put(SmallCore.LOADS, last).put(LAST_LOAD, first);
        });
        try (Guest guest = SmallCore.open(folder, bytes);
                Guest sorted = SmallCore.guest()) {
            assertEquals(
                    sorted.memory().regions().stream().map(MemoryRegion::range).toList(),
                    guest.memory().regions().stream().map(MemoryRegion::range).toList());
            byte[] ram = new byte[SmallCore.RAM_SIZE];
            guest.memory().read(0, MemorySegment.ofArray(ram));
            assertTrue(Arrays.equals(SmallCore.pattern(SmallCore.RAM_SIZE, 1), ram));
        }
    }

    /** A range of 0x1800 bytes of which the old writers put only one page into the file. */
    @Test
    void putsOffsetsRightBehindARangeOfOddLength() {
        byte[] whole = SmallCore.bytes();
        int data = whole.length - SmallCore.RAM_SIZE - SmallCore.ROM_SIZE;
        byte[] odd = new byte[whole.length - 0x1000];
        System.arraycopy(whole, 0, odd, 0, data + 0x1000);
        System.arraycopy(whole, data + SmallCore.RAM_SIZE, odd, data + 0x1000, SmallCore.ROM_SIZE);
        ByteBuffer core = SmallCore.buffer(odd);
        core.putLong(SmallCore.LOADS + 32, 0x1800).putLong(SmallCore.LOADS + 40, 0x1800);
        core.putLong(SmallCore.LOADS + 56 + 8, data + 0x1800L).putLong(LAST_LOAD + 8, data + 0x1800L);
        try (Guest guest = SmallCore.open(folder, odd)) {
            byte[] rom = new byte[SmallCore.ROM_SIZE];
            guest.memory().read(0x4000, MemorySegment.ofArray(rom));
            assertTrue(Arrays.equals(SmallCore.pattern(SmallCore.ROM_SIZE, 2), rom));
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x1000).state());
            assertEquals(0x17ff, guest.memory().runAt(0x1000).range().last());
            assertEquals(Severity.DAMAGE, guest.findings().getFirst().severity());
        }
    }

    @Test
    void tellsRepeatedPagesOfRightlyPlacedRangesByTheirContent() {
        byte[] bytes = SmallCore.bytes(SmallCore.guest(), VmCoreWriter.layout(VmCoreLayout.V4_0));
        int descriptor = SmallCore.NOTES + 20;
        SmallCore.buffer(bytes).putInt(descriptor + 16, 34150);
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertEquals(PageState.PRESENT, guest.memory().runAt(0x1000).state());
        }
        int data = bytes.length - SmallCore.RAM_SIZE - SmallCore.ROM_SIZE;
        System.arraycopy(bytes, data, bytes, data + 0x1000, 0x1000);
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertEquals(PageState.PRESENT, guest.memory().runAt(0).state());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x1000).state());
        }
        SmallCore.buffer(bytes).putInt(descriptor + 16, 34197);
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertEquals(PageState.PRESENT, guest.memory().runAt(0x1000).state());
        }
    }

    @Test
    void refusesThousandsOfVcpus() {
        int note = 20 + 8;
        ByteBuffer core = ByteBuffer.allocate(120 + 44 + 1025 * note).order(ByteOrder.LITTLE_ENDIAN);
        core.put(SmallCore.bytes(), 0, 120);
        core.putShort(56, (short) 1).putLong(64 + 8, 120).putLong(64 + 32, core.capacity() - 120L);
        core.put(120, SmallCore.bytes(), SmallCore.NOTES, 44);
        for (int i = 0; i < 1025; i++) {
            int at = 164 + i * note;
            core.putInt(at, 5).putInt(at + 4, 8).putInt(at + 8, 0xb01);
            core.put(at + 12, "VBCPU".getBytes(StandardCharsets.US_ASCII));
        }
        Path file = SmallCore.file(folder, core.array());
        try (FileBytes bytes = FileBytes.open(file)) {
            assertEquals(
                    file + ": at offset 0x70a4: number of VBCPU notes: expected at most 1024, found more; VirtualBox"
                            + " knows 64 vCPUs; this is no core of it",
                    assertThrows(MalformedDumpException.class, () -> new VmCoreFormat().open(bytes)).getMessage());
        }
    }

    @Test
    @Tag("slow")
    void survivesTruncationAnywhere() throws IOException {
        byte[] whole = SmallCore.bytes();
        for (int length = 0; length < whole.length; length += length < 400 ? 1 : 37) {
            Path file = SmallCore.file(folder, Arrays.copyOf(whole, length));
            boolean opened = tryAll(file);
            // Everything up to the first CPU state is needed to tell what the file is.
            assertEquals(length >= SmallCore.FIRST_CPU, opened, "cut to " + length);
        }
        Files.delete(folder.resolve("core"));
    }

    @Test
    void marksWhatIsCutOff() {
        byte[] whole = SmallCore.bytes();
        try (Guest guest = SmallCore.open(folder, Arrays.copyOf(whole, whole.length - 0x1800))) {
            assertEquals(0x17ff, guest.memory().runAt(0).range().last());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x1800).state());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x4000).state());
            assertEquals(
                    List.of(Finding.damage(folder.resolve("core") + ": at offset 0x5e14: end of file: expected 30228"
                            + " bytes, found 24084; the file is cut short, and memory that should lie past its end"
                            + " cannot be read")),
                    guest.findings());
        }
    }

    @Test
    @Tag("slow")
    void survivesRandomChanges() {
        byte[] whole = SmallCore.bytes();
        Random random = new Random(20100909);
        int opened = 0;
        for (int i = 0; i < 2500; i++) {
            byte[] bytes = whole.clone();
            int changes = 1 + random.nextInt(4);
            for (int change = 0; change < changes; change++) {
                // Headers, descriptor and the headers of the CPU notes matter most.
                int bound = random.nextInt(10) == 0 ? bytes.length : SmallCore.FIRST_CPU + 40;
                int at = random.nextInt(bound);
                bytes[at] = random.nextBoolean()
                        ? (byte) random.nextInt()
                        : (byte) (bytes[at] ^ 1 << random.nextInt(8));
            }
            opened += tryAll(SmallCore.file(folder, bytes)) ? 1 : 0;
        }
        assertTrue(opened > 600, "only " + opened + " files were good enough to be opened");
    }

    /** Probes, verifies, opens and uses a file; only errors of ours may come out. Gives whether it could be opened. */
    private static boolean tryAll(Path path) {
        try (FileBytes file = FileBytes.open(path)) {
            VmCoreFormat format = new VmCoreFormat();
            Probe probe = format.probe(file);
            assertEquals(Rule.values().length, format.rules(file, true, Progress.none()).size());
            try {
                Guest guest = format.open(file);
                assertEquals(Probe.Match.EXACT, probe.match(), probe::reason);
                exercise(guest);
                guest.close();
                return true;
            } catch (GuestcoreException e) {
                assertTrue(e.getMessage().lines().count() == 1, e::getMessage);
                return false;
            }
        }
    }

    private static void exercise(Guest guest) {
        MemorySegment buffer = MemorySegment.ofArray(new byte[0x3000]);
        for (MemoryRegion region : guest.memory().regions()) {
            long first = region.range().first();
            assertEquals(region, guest.memory().regionAt(first).orElseThrow());
            assertEquals(first, guest.memory().runAt(first).range().first());
            long read = guest.memory().readAvailable(first, buffer);
            assertTrue(read >= 0 && read <= buffer.byteSize());
            guest.memory().runAt(region.range().last());
            guest.memory().view(first, 16);
        }
        guest.memory().runAt(-1L);
        guest.facts();
        try {
            VmCoreWriter.likeSource().plan(guest);
        } catch (GuestcoreException e) {
            assertTrue(e.getMessage().lines().count() == 1, e::getMessage);
        }
    }
}

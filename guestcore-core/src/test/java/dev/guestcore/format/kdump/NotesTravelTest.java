package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.format.elf.ElfCoreFormat;
import dev.guestcore.format.xen.XenDumpCoreFormat;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Patterns;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Notes that Guestcore does not interpret, on their way through formats that hold ELF notes. */
class NotesTravelTest {

    private static final int AARCH64 = 183;
    private static final int S390 = 22;
    private static final int X86_64 = 62;

    @TempDir
    private Path folder;

    /** As QEMU and Linux write them: the further notes of a CPU behind its NT_PRSTATUS, VMCOREINFO last. */
    private static byte[] notesOfTwoCpus(ElfFiles elf, int statusSize) {
        ByteArrayOutputStream notes = new ByteArrayOutputStream();
        for (int cpu = 1; cpu <= 2; cpu++) {
            byte[] status = new byte[statusSize];
            status[statusSize - 8] = (byte) (0x40 + cpu);
            notes.writeBytes(elf.note("CORE", 1, status));
            notes.writeBytes(elf.note("CORE", 2, filled(528, 0x11 * cpu)));
            notes.writeBytes(elf.note("LINUX", 0x305, filled(4, cpu)));
        }
        notes.writeBytes(elf.note("VMCOREINFO", 0, "OSRELEASE=6.1.0-test\n".getBytes(StandardCharsets.US_ASCII)));
        return notes.toByteArray();
    }

    private static byte[] filled(int size, int value) {
        byte[] bytes = new byte[size];
        Arrays.fill(bytes, (byte) value);
        return bytes;
    }

    private Path elf(int machine, ByteOrder order, byte[] notes) {
        ElfFiles elf = new ElfFiles(true, order, machine, 0x4000 + notes.length);
        elf.programHeader(4, elf.content(notes), 0, 0, notes.length, notes.length);
        return ElfFiles.write(folder.resolve("core"), elf.load(0, Patterns.bytes(0x1000, 1)).build());
    }

    private Path convert(Path from, String name, String... options) {
        Path to = folder.resolve(name);
        try (Guest guest = Guests.open(from)) {
            boolean keep = Arrays.asList(options).contains("keep");
            Map<String, String> map = keep ? Map.of("keep", "true") : Map.of();
            if (name.endsWith(".kdump")) {
                new KdumpFormat().writer(map).write(guest, to, Progress.none());
            } else if (name.endsWith(".xen")) {
                new XenDumpCoreFormat().writer(map).write(guest, to, Progress.none());
            } else {
                new ElfCoreFormat().writer(map).write(guest, to, Progress.none());
            }
        }
        return to;
    }

    /** Owner, type and first byte of all notes of an ELF core that we wrote, read by hand. */
    private static List<String> notesOf(Path core) throws Exception {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(core));
        file.order(file.get(5) == 1 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        int at = (int) file.getLong(64 + 8);
        int end = at + (int) file.getLong(64 + 32);
        List<String> notes = new ArrayList<>();
        while (at < end && file.getInt(at) > 0) {
            int nameSize = file.getInt(at);
            int size = file.getInt(at + 4);
            String name = new String(file.array(), at + 12, nameSize - 1, StandardCharsets.US_ASCII);
            int descriptor = at + 12 + (nameSize + 3 & ~3);
            int shown = file.getInt(at + 8) == 1 ? descriptor + size - 8 : descriptor;
            notes.add(name + " " + file.getInt(at + 8) + " " + Integer.toHexString(file.get(shown)));
            at = descriptor + (size + 3 & ~3);
        }
        return notes;
    }

    @Test
    void eachCpuKeepsWhatStandsBehindItsStatus() throws Exception {
        List<String> expected = List.of(
                "CORE 1 41", "CORE 2 11", "LINUX 773 1", "CORE 1 42", "CORE 2 22", "LINUX 773 2", "VMCOREINFO 0 4f");
        byte[] arm = notesOfTwoCpus(new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, AARCH64, 0x2000), 392);
        Path once = convert(elf(AARCH64, ByteOrder.LITTLE_ENDIAN, arm), "once.elf");
        assertEquals(expected, notesOf(once));
        assertEquals(expected, notesOf(convert(once, "twice.elf")));
        byte[] s390 = notesOfTwoCpus(new ElfFiles(true, ByteOrder.BIG_ENDIAN, S390, 0x2000), 336);
        assertEquals(expected, notesOf(convert(elf(S390, ByteOrder.BIG_ENDIAN, s390), "s390.elf")));
    }

    @Test
    void eachCpuKeepsItsNotesOutOfAKdump() throws Exception {
        ElfFiles elf = new ElfFiles(true, ByteOrder.BIG_ENDIAN, 21, 0x2000);
        Path kdump = new KdumpImage(KdumpImage.Machine.PPC64, 6, 4096)
                .page(0, Patterns.bytes(4096, 1), 0)
                .notes(notesOfTwoCpus(elf, 504))
                .write(folder.resolve("dump"));
        assertEquals(
                List.of("CORE 1 41", "CORE 2 11", "LINUX 773 1", "CORE 1 42", "CORE 2 22", "LINUX 773 2",
                        "VMCOREINFO 0 4f"),
                notesOf(convert(kdump, "from.elf")));
    }

    @Test
    void eachCpuKeepsItsNotesIntoAKdump() throws Exception {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        Path core = elf(X86_64, ByteOrder.LITTLE_ENDIAN, notesOfTwoCpus(elf, 336));
        Path back = convert(convert(core, "to.kdump"), "back.elf");
        List<String> order = notesOf(back).stream()
                .filter(note -> !note.startsWith("QEMU"))
                .map(note -> note.startsWith("CORE 1") ? "CORE 1" : note)
                .toList();
        assertEquals(
                List.of("CORE 1", "CORE 2 11", "LINUX 773 1", "CORE 1", "CORE 2 22", "LINUX 773 2", "VMCOREINFO 0 4f"),
                order);
    }

    @Test
    void aDumpOfADeviceTravelsHoweverLong() throws Exception {
        byte[] device = Patterns.bytes(3 << 20, 7);
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        ByteArrayOutputStream notes = new ByteArrayOutputStream();
        notes.writeBytes(elf.note("LINUX", 0x700, device));
        notes.writeBytes(elf.note("CORE", 1, new byte[336]));
        Path core = elf(X86_64, ByteOrder.LITTLE_ENDIAN, notes.toByteArray());
        Path[] ways = {
            convert(core, "direct.elf"),
            convert(core, "kept.elf", "keep"),
            convert(core, "direct.kdump"),
            convert(core, "kept.xen", "keep"),
            convert(folder.resolve("direct.kdump"), "back.elf"),
            convert(folder.resolve("kept.xen"), "kept-back.elf")
        };
        for (Path way : ways) {
            try (Guest guest = Guests.open(way)) {
                ElfFacts.Note note = guest.facts(ElfFacts.class).orElseThrow().notes().stream()
                        .filter(candidate -> candidate.type() == 0x700)
                        .findFirst()
                        .orElseThrow(() -> new AssertionError(way + " has lost it"));
                assertEquals(ElfFacts.Note.FIRST, note.vcpu());
                assertEquals(device.length, note.content().size());
                byte[] some = new byte[5000];
                note.content().read(1_234_567, MemorySegment.ofArray(some));
                assertArrayEquals(Arrays.copyOfRange(device, 1_234_567, 1_239_567), some);
                assertEquals(List.of(), Findings.damage(guest));
            }
        }
        assertTrue(notesOf(folder.resolve("back.elf")).getFirst().startsWith("LINUX 1792"));
    }

    @Test
    void whatIsTooMuchIsToldAsDamage() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        byte[] one = elf.note("X", 9, new byte[0]);
        int count = (1 << 17) + 3;
        ByteBuffer notes = ByteBuffer.allocate(count * one.length);
        for (int i = 0; i < count; i++) {
            notes.put(one);
        }
        try (Guest guest = Guests.open(elf(X86_64, ByteOrder.LITTLE_ENDIAN, notes.array()))) {
            assertEquals(1 << 17, guest.facts(ElfFacts.class).orElseThrow().notes().size());
            assertEquals(3, Findings.damage(guest).size());
        }
        try (Guest guest = Guests.open(elf(X86_64, ByteOrder.LITTLE_ENDIAN, elf.note("CORE", 1, new byte[1 << 17])))) {
            assertEquals(1, Findings.damage(guest).size(), "a status that no kernel writes");
        }
    }

    private static final class Findings {

        static List<Finding> damage(Guest guest) {
            return guest.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .toList();
        }
    }
}

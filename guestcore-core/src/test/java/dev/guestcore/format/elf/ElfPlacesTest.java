package dev.guestcore.format.elf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every byte of a core belongs to one thing, and what stands there twice is the same. */
class ElfPlacesTest {

    @TempDir
    Path folder;

    private static ElfFiles core() {
        return new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 16);
    }

    private static byte[] page(int value) {
        byte[] page = new byte[0x1000];
        Arrays.fill(page, (byte) value);
        return page;
    }

    private List<String> findings(byte[] core) {
        try (Guest guest = Guests.open(ElfFiles.write(folder.resolve("core"), core))) {
            return guest.findings().stream().map(f -> f.severity() + " " + f.message()).toList();
        }
    }

    private List<String> failed(byte[] core, boolean deep) {
        try (FileBytes file = FileBytes.open(ElfFiles.write(folder.resolve("core"), core))) {
            return new ElfCoreFormat().verify(file, deep, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList();
        }
    }

    private void assertDamage(byte[] core, String text) {
        List<String> findings = findings(core);
        assertEquals(1, findings.size(), findings::toString);
        assertTrue(findings.getFirst().startsWith(Severity.DAMAGE + " "), findings::toString);
        assertTrue(findings.getFirst().contains(text), findings::toString);
    }

    @Test
    void onePlaceOfTheFileIsNotMemoryAtTwoAddresses() {
        ElfFiles core = core();
        int first = core.content(page(1));
        core.programHeader(1, first, 0, 0, 0x1000, 0x1000);
        core.load(0x1000, page(2));
        byte[] overlapping = core.programHeader(1, first + 0x800, 0, 0x9000, 0x1000, 0x1000).build();
        assertDamage(overlapping, "memory at 0x800 and memory at 0x9000 at once");
        assertEquals(List.of("elf-00", "elf-17"), failed(overlapping, false));
    }

    /** QEMU's cores with paging name a page once for each virtual address. */
    @Test
    void onePlaceMayBeNamedTwiceForOneAddress() {
        ElfFiles core = core();
        int first = core.content(page(1));
        core.programHeader(1, first, 0xc000_0000L, 0, 0x1000, 0x1000);
        byte[] paging = core.programHeader(1, first, 0, 0, 0x1000, 0x1000).build();
        assertEquals(List.of(), findings(paging));
        assertEquals(List.of(), failed(paging, true));
    }

    @Test
    void memoryDoesNotLieOverNotes() {
        ElfFiles core = core();
        byte[] note = core.note("CORE", 0x7777, new byte[64]);
        int notes = core.content(note);
        core.programHeader(4, notes, 0, 0, note.length, 0);
        int memory = core.content(page(1));
        byte[] shifted = core.programHeader(1, memory - 16, 0, 0x1000, 0x1000, 0x1000).build();
        List<String> findings = findings(shifted);
        assertTrue(findings.getFirst().contains("are notes and memory at 0x1000 at once"), findings::toString);
        assertTrue(failed(shifted, false).contains("elf-17"));
    }

    @Test
    void bytesThatNothingRefersToAreANote() {
        ElfFiles core = core();
        core.load(0, page(1));
        core.content(page(2));
        List<String> findings = findings(core.build());
        assertEquals(1, findings.size(), findings::toString);
        assertTrue(findings.getFirst().startsWith(Severity.NOTE + " "), findings::toString);
        assertTrue(findings.getFirst().contains("nothing refers to 4096 bytes, from offset 0x1200 on"),
                findings::toString);
    }

    /** e_phnum one too small: the header is there, and what it describes. */
    @Test
    void aSegmentBehindTheLastThatIsCountedIsDamage() {
        ElfFiles core = core();
        core.programHeader(1, 0x1000, 0, 0, 0x1000, 0x1000);
        core.programHeader(1, 0x2000, 0, 0x8000, 0x1000, 0x1000);
        byte[] whole = Arrays.copyOf(core.build(64), 0x3000);
        assertEquals(List.of(), findings(whole));
        ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).putShort(56, (short) 1);
        assertDamage(whole, "program header 1 for 0x1000 bytes at 0x8000 follows those that e_phnum counts");
        assertEquals(List.of("elf-00"), failed(whole, false));
    }

    /** Of a page that is there twice the earlier segment's is shown; the same bytes twice are no damage. */
    @Test
    void copiesOfAPageThatContradictAreDamage() {
        byte[] same = core().load(0x4000, page(1)).load(0x4000, page(1)).build();
        assertEquals(List.of(), findings(same));
        assertEquals(List.of(), failed(same, true));
        byte[] other = page(1);
        other[0x123] = 2;
        byte[] different = core().load(0x4000, page(1)).load(0x5000, page(7)).load(0x4000, other).build();
        assertDamage(different,
                "1 page is there twice with different bytes, the first at guest-physical address 0x4123");
        assertEquals(List.of("elf-00"), failed(different, false));
        assertEquals(List.of("elf-00", "elf-19"), failed(different, true));
        try (Guest guest = Guests.open(ElfFiles.write(folder.resolve("shown"), different))) {
            byte[] shown = new byte[1];
            guest.memory().read(0x4123, java.lang.foreign.MemorySegment.ofArray(shown));
            assertEquals(1, shown[0]);
        }
    }
}

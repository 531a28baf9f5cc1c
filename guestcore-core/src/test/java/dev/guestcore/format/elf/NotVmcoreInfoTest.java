package dev.guestcore.format.elf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A guest may hand QEMU anything as its VMCOREINFO. */
class NotVmcoreInfoTest {

    @TempDir
    private Path folder;

    private Guest core(byte[] note) {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 15);
        byte[] notes = elf.note("VMCOREINFO", 0, note);
        elf.programHeader(4, elf.content(notes), 0, 0, notes.length, notes.length);
        return Guests.open(ElfFiles.write(folder.resolve("core"), elf.load(0x1000, new byte[4096]).build()));
    }

    private static byte[] windows(String magic, int size) {
        ByteBuffer header = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        header.put(magic.getBytes(StandardCharsets.US_ASCII)).putInt(15).putInt(19041);
        while (header.remaining() >= 4) {
            header.put("PAGE".getBytes(StandardCharsets.US_ASCII));
        }
        return header.array();
    }

    private static void assertKept(Guest guest, byte[] note) {
        assertTrue(guest.facts(VmcoreInfoFacts.class).isEmpty());
        List<ElfFacts.Note> notes = guest.facts(ElfFacts.class).orElseThrow().notes();
        assertEquals(1, notes.size());
        assertEquals("VMCOREINFO", notes.getFirst().name());
        assertArrayEquals(note, notes.getFirst().descriptor());
    }

    @ParameterizedTest
    @CsvSource({"PAGEDU64, 8192, elf", "PAGEDUMP, 4096, kdump", "PAGEDU64, 8192, kdump"})
    void theHeaderOfAWindowsCrashDumpTellsTheSystemAndIsKept(String magic, int size, String format) {
        byte[] note = windows(magic, size);
        Path target = folder.resolve("copy");
        try (Guest guest = core(note)) {
            assertKept(guest, note);
            assertTrue(guest.findings().getFirst().message().contains("Windows build 19041"),
                    guest.findings()::toString);
            assertEquals(
                    "Windows build 19041",
                    KernelFacts.glance(guest).system().orElseThrow().value());
            Guests.format(format).writer(Map.of()).write(guest, target, Progress.none());
        }
        try (Guest copy = Guests.open(target)) {
            assertKept(copy, note);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "no lines of that kind", "OSRELEASE=6.1\n\u0001\u0002", "\u0000\u0000\u0000\u0000"})
    void whatIsNoTextOfAKernelIsKeptAndSaid(String content) {
        byte[] note = content.getBytes(StandardCharsets.ISO_8859_1);
        try (Guest guest = core(note)) {
            assertKept(guest, note);
            assertTrue(guest.findings().getFirst().message().contains("expected lines KEY=value"));
            assertTrue(KernelFacts.glance(guest).vmcoreInfo().isEmpty());
        }
    }

    @Test
    void aTextThatIsPaddedOrCutIsStillOne() {
        try (Guest guest = core("OSRELEASE=6.1\nPAGESIZE=40\0\0".getBytes(StandardCharsets.US_ASCII))) {
            assertEquals("6.1", guest.facts(VmcoreInfoFacts.class).orElseThrow().value("OSRELEASE").orElseThrow());
            assertTrue(guest.findings().stream().noneMatch(finding -> finding.message().contains("VMCOREINFO")));
        }
    }
}

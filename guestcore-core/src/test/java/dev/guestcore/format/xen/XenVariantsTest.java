package dev.guestcore.format.xen;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Variants of the format that no sample shows. */
class XenVariantsTest {

    @TempDir
    private Path folder;

    private Guest open(XenImage image) throws IOException {
        return Guests.open(Files.write(folder.resolve("core"), image.build()));
    }

    private void assertRewritten(Guest guest) throws IOException {
        Path copy = folder.resolve("copy");
        Files.deleteIfExists(copy);
        XenDumpCoreWriter.asSource().write(guest, copy, Progress.none());
        assertEquals(-1, Files.mismatch(folder.resolve("core"), copy));
    }

    private static void assertPage(Guest guest, long frame, long pageSize, int value) {
        byte[] page = new byte[(int) pageSize];
        guest.memory().read(frame * pageSize, MemorySegment.ofArray(page));
        for (byte b : page) {
            assertEquals((byte) value, b);
        }
    }

    private static List<String> messages(Guest guest) {
        return guest.findings().stream().map(Finding::message).toList();
    }

    @Test
    void theOrdinaryDump() throws IOException {
        try (Guest guest = open(new XenImage())) {
            assertEquals(List.of(), guest.findings());
            assertEquals(2, guest.memory().regions().size());
            assertPage(guest, 2, 4096, 3);
            assertPage(guest, 5, 4096, 4);
            assertEquals(PageState.ABSENT, guest.memory().runAt(3 << 12).state());
            RegisterState registers = guest.vcpus().getFirst().registers();
            assertEquals(0x1000, registers.get(X86.RIP));
            assertEquals(0x11, registers.get(X86.GS_BASE));
            assertEquals(0x22, registers.get(X86.KERNEL_GS_BASE));
            assertFalse(registers.knows(X86.XMM0));
            assertTrue(guest.machineMemory().isEmpty());
            assertRewritten(guest);
        }
    }

    @Test
    void gsBasesOfUserModeAreTheOtherWayRound() throws IOException {
        XenImage image = new XenImage();
        image.vcpus[0][656] = 0x33;
        try (Guest guest = open(image)) {
            RegisterState registers = guest.vcpus().getFirst().registers();
            assertEquals(0x22, registers.get(X86.GS_BASE));
            assertEquals(0x11, registers.get(X86.KERNEL_GS_BASE));
            assertRewritten(guest);
        }
    }

    @Test
    void xen31WroteTheTableFirst() throws IOException {
        XenImage image = new XenImage();
        image.tableFirst = true;
        image.p2m = true;
        image.magic = 0xF00FEBEDL;
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertEquals("pv, table before pages", guest.provenance().layout());
            assertPage(guest, 5, 4096, 4);
            byte[] page = new byte[4096];
            guest.machineMemory().orElseThrow().read(99 << 12, MemorySegment.ofArray(page));
            assertEquals(2, page[0]);
            assertRewritten(guest);
        }
    }

    @Test
    void notesOf32BitTools() throws IOException {
        XenImage image = new XenImage();
        image.narrowNotes = true;
        image.machine = 3;
        image.vcpus = new byte[][] {XenImage.context32(2800), XenImage.context32(2800)};
        image.p2m = true;
        image.magic = 0xF00FEBEDL;
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            XenFacts facts = guest.facts(XenFacts.class).orElseThrow();
            assertEquals(4, facts.guestWidth());
            assertEquals(0xf5800000L, facts.version().virtualStart());
            assertEquals(4096, facts.version().pageSize());
            RegisterState registers = guest.vcpus().get(1).registers();
            assertEquals(0xc0001000L, registers.get(X86.RIP));
            assertEquals(0x123456000L, registers.get(X86.CR3));
            assertFalse(registers.knows(X86.R8));
            assertRewritten(guest);
        }
    }

    @Test
    void shiftedPageSizeAndUnionElements() throws IOException {
        XenImage image = new XenImage();
        image.shifted = true;
        image.machine = 3;
        image.vcpus = new byte[][] {XenImage.context32(5168)};
        image.p2m = true;
        image.magic = 0xF00FEBEDL;
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertEquals(4096, guest.facts(XenFacts.class).orElseThrow().version().pageSize());
            assertEquals(0xbb, guest.vcpus().getFirst().registers().get(X86.RAX));
            assertRewritten(guest);
        }
    }

    @Test
    void hvmFrom32BitToolsOn64BitXenHas64BitContexts() throws IOException {
        XenImage image = new XenImage();
        image.machine = 3;
        try (Guest guest = open(image)) {
            assertEquals(0x1000, guest.vcpus().getFirst().registers().get(X86.RIP));
        }
        image.capabilities = "xen-3.0-x86_32p hvm-3.0-x86_32 ";
        image.vcpus = new byte[][] {XenImage.context32(5168)};
        try (Guest guest = open(image)) {
            assertEquals(0xc0001000L, guest.vcpus().getFirst().registers().get(X86.RIP));
            assertEquals(0x23456001L, guest.vcpus().getFirst().registers().get(X86.CR3));
        }
    }

    @Test
    void elf32OfTheEarlySnapshots() throws IOException {
        XenImage image = new XenImage();
        image.elf64 = false;
        image.machine = 3;
        image.narrowNotes = true;
        image.capabilities = "xen-3.0-x86_32p ";
        image.vcpus = new byte[][] {XenImage.context32(2800)};
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertPage(guest, 5, 4096, 4);
            assertRewritten(guest);
        }
    }

    @Test
    void bigEndianOfThePowerPcPort() throws IOException {
        XenImage image = new XenImage();
        image.order = ByteOrder.BIG_ENDIAN;
        image.machine = 21;
        image.vcpus = new byte[][] {new byte[1000]};
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertEquals(Architectures.POWERPC64, guest.architecture());
            assertPage(guest, 5, 4096, 4);
            assertTrue(guest.vcpus().getFirst().registers().known().isEmpty());
            assertEquals("4.17.7", guest.provenance().hypervisorVersion().orElseThrow());
            assertRewritten(guest);
        }
    }

    @Test
    void armAndItsMisleadingMagic() throws IOException {
        XenImage image = new XenImage();
        image.machine = 40;
        image.magic = 0xF00FEBEDL;
        image.vcpus = new byte[][] {new byte[352], new byte[352]};
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertEquals(Architectures.ARM, guest.architecture());
            assertFalse(guest.facts(XenFacts.class).orElseThrow().paravirtualized());
            assertEquals("xen.vcpu_guest_context.arm", guest.vcpus().get(1).rawContexts().getFirst().kind());
            assertRewritten(guest);
        }
    }

    @Test
    void ia64WithSwappedSections() throws IOException {
        XenImage image = new XenImage();
        image.machine = 50;
        image.magic = 0xF00FEBEDL;
        image.pageSize = 16384;
        image.mappedRegisters = true;
        image.vcpus = new byte[][] {new byte[22208], new byte[22208]};
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertPage(guest, 5, 16384, 4);
            XenFacts facts = guest.facts(XenFacts.class).orElseThrow();
            assertEquals(0x5a, facts.sharedInfo().orElseThrow()[16383]);
            assertEquals(0x6b, facts.fileParts().orElseThrow().mappedRegisters()[0]);
            assertRewritten(guest);
        }
    }

    @Test
    void unsortedTables() throws IOException {
        XenImage image = new XenImage();
        image.pfns = new long[] {7, 3, 4, 1L << 39};
        image.p2m = true;
        image.magic = 0xF00FEBEDL;
        try (Guest guest = open(image)) {
            assertEquals(
                    List.of("entry 1 of the frame table is lower than the one before it (so were dumps before 9"
                            + " March 2007);"
                            + " crash needs them ascending"),
                    messages(guest));
            assertPage(guest, 3, 4096, 2);
            assertPage(guest, 7, 4096, 1);
            assertPage(guest, 1L << 39, 4096, 4);
            assertEquals(3, guest.memory().regions().size());
            assertRewritten(guest);
        }
    }

    @Test
    void invalidEntriesInTheMiddle() throws IOException {
        XenImage image = new XenImage();
        image.pfns = new long[] {1, -1, 2, -1};
        try (Guest guest = open(image)) {
            assertEquals(
                    List.of("entry 1 of the frame table is invalid though valid ones follow; it is left out"),
                    messages(guest));
            assertPage(guest, 2, 4096, 3);
            assertRewritten(guest);
        }
    }

    @Test
    void ofDuplicatesTheFirstWins() throws IOException {
        XenImage image = new XenImage();
        image.pfns = new long[] {4, 9, 4, 1L << 52};
        try (Guest guest = open(image)) {
            assertPage(guest, 4, 4096, 1);
            assertEquals(
                    List.of(
                            "entry 2 of the frame table is lower than the one before it (so were dumps before 9"
                                    + " March 2007);"
                                    + " crash needs them ascending",
                            "entry 2 of the frame table names a frame that has an earlier entry;"
                                    + " the first"
                                    + " is used",
                            "entry 3 of the frame table names a frame beyond 64-bit addresses; its page is left out"),
                    messages(guest));
        }
    }

    private List<String> failed(byte[] dump) throws IOException {
        Path path = Files.write(folder.resolve("changed"), dump);
        try (FileBytes file = FileBytes.open(path)) {
            return new XenDumpCoreFormat().verify(file, false, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList();
        }
    }

    /** All registers would be those of their neighbours. */
    @Test
    void contextsThatAreShiftedAreDamage() throws IOException {
        XenImage image = new XenImage();
        image.sharedInfo = false;
        byte[] dump = image.build();
        ByteBuffer fields = ByteBuffer.wrap(dump).order(ByteOrder.LITTLE_ENDIAN);
        int header = 64 + 3 * 64;
        int contexts = (int) fields.getLong(header + 24);
        assertEquals(5168, fields.getLong(header + 32));
        fields.putLong(header + 24, contexts + 8);
        dump[contexts] = 0x7f;
        assertEquals(List.of("xen-00", "xen-41"), failed(dump));
        dump[contexts] = 0;
        assertEquals(List.of(), failed(dump));
        try (Guest guest = Guests.open(folder.resolve("changed"))) {
            assertEquals(List.of(Finding.note("at offset 0x" + Long.toHexString(contexts) + ": a gap of 8 bytes between"
                    + " .note.Xen and .xen_prstatus, which Xen never leaves")), guest.findings());
        }
    }

    @Test
    void sectionsThatShareBytesAreDamage() throws IOException {
        byte[] dump = new XenImage().build();
        ByteBuffer fields = ByteBuffer.wrap(dump).order(ByteOrder.LITTLE_ENDIAN);
        int header = 64 + 4 * 64;
        fields.putLong(header + 24, fields.getLong(header + 24) - 64);
        assertTrue(failed(dump).containsAll(List.of("xen-00", "xen-15")), () -> "shared_info over the contexts");
    }

    @Test
    void singleEntriesThatCannotBeAreDamage() throws IOException {
        XenImage image = new XenImage();
        image.p2m = true;
        image.magic = 0xF00FEBEDL;
        image.pfns = new long[] {0, 1, 2, 3};
        assertEquals(List.of(), damage(image));
        image.pfns = new long[] {0, 1, 0x402, 3};
        assertTrue(damage(image).stream().anyMatch(text -> text.startsWith("entry 2 of the frame table names"
                + " a frame that is not between those of the neighbouring entries: expected 0x2, found 0x402")),
                damage(image)::toString);
        image.pfns = new long[] {8, 1, 2, 3};
        assertTrue(damage(image).getFirst().contains("expected 0x0, found 0x8"), damage(image)::toString);
        image.pfns = new long[] {0, 1, 2, 3};
        image.mfns = new long[] {100, 99, 98L | 1L << 43, 7};
        assertEquals(1, damage(image).size(), damage(image)::toString);
        assertTrue(damage(image).getFirst()
                .contains("entry 2 of the frame table names a machine frame beyond 2^52 bytes"));
        image.mfns = new long[] {100, 99, 98, 99};
        assertTrue(damage(image).getFirst()
                .contains("entry 3 of the frame table names a machine frame that has another entry"));
        assertTrue(failed(image.build()).containsAll(List.of("xen-00", "xen-39")));
    }

    private List<String> damage(XenImage image) throws IOException {
        try (Guest guest = open(image)) {
            return guest.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .map(Finding::message)
                    .toList();
        }
    }

    @Test
    void withoutSharedInfo() throws IOException {
        XenImage image = new XenImage();
        image.sharedInfo = false;
        try (Guest guest = open(image)) {
            assertEquals(List.of(), guest.findings());
            assertTrue(guest.facts(XenFacts.class).orElseThrow().sharedInfo().isEmpty());
            assertRewritten(guest);
        }
    }

    @Test
    void countsThatDisagreeAreFindings() throws IOException {
        XenImage image = new XenImage();
        image.notedPages = 9;
        image.notedVcpus = 3;
        try (Guest guest = open(image)) {
            assertEquals(
                    List.of(
                            "at offset 0x220: xch_nr_vcpus: expected 1 as in .xen_prstatus, found 3; the section is"
                                    + " used",
                            "at offset 0x220: xch_nr_pages: expected 4 as in .xen_pages, found 9; the section is"
                                    + " used"),
                    messages(guest));
            assertPage(guest, 5, 4096, 4);
        }
        try (FileBytes file = FileBytes.open(folder.resolve("core"))) {
            List<String> failed = new XenDumpCoreFormat().rules(file, true, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList();
            assertEquals(List.of("xen-20", "xen-21"), failed);
        }
    }

    @Test
    void aNewerMinorVersionIsReadAndANewerMajorRefused() throws IOException {
        XenImage image = new XenImage();
        image.formatVersion = 7;
        try (Guest guest = open(image)) {
            assertEquals(
                    List.of("format version: expected 0.1, found 0.7; what version 0.1 has is read, what is new"
                            + " is not"),
                    messages(guest));
            assertRewritten(guest);
        }
        image.formatVersion = 2L << 32 | 3;
        Path core = folder.resolve("core");
        Files.write(core, image.build());
        MalformedDumpException error = assertThrows(MalformedDumpException.class, () -> Guests.open(core));
        assertEquals(
                core + ": at offset 0x760: format version: expected major version 0 (this program knows 0.1),"
                        + " found major"
                        + " version 2 (2.3); its layout is unknown; a newer Guestcore may read it",
                error.getMessage());
    }

    @Test
    void aChangedRegisterWinsOverTheRawContext() throws IOException {
        XenImage image = new XenImage();
        image.vcpus[0][730] = 0x77;
        try (Guest guest = open(image)) {
            RegisterState changed = guest.vcpus().getFirst().registers().toBuilder()
                    .set(X86.RAX, 0x1234)
                    .set(X86.XMM3, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
                    .build();
            Guest other = Guest.builder()
                    .facts(guest.facts(XenFacts.class).orElseThrow())
                    .vcpu(changed, guest.vcpus().getFirst().rawContexts())
                    .build(guest.memory());
            Path copy = folder.resolve("copy");
            XenDumpCoreWriter.asSource().write(other, copy, Progress.none());
            byte[] before = Files.readAllBytes(folder.resolve("core"));
            byte[] after = Files.readAllBytes(copy);
            assertEquals(before.length, after.length);
            assertEquals(0x77, after[0x768 + 730]);
            assertEquals(0x34, after[0x768 + 600]);
            try (Guest again = Guests.open(copy)) {
                RegisterState read = again.vcpus().getFirst().registers();
                assertEquals(0x1234, read.get(X86.RAX));
                assertArrayEquals(changed.bytes(X86.XMM3), read.bytes(X86.XMM3));
                assertEquals(0x37f, read.get(X86.FCW));
                assertEquals(0x1000, read.get(X86.RIP));
            }
        }
    }
}

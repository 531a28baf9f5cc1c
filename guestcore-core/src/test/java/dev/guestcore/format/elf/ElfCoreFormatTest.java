package dev.guestcore.format.elf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Probe;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.FlattenedFiles;
import dev.guestcore.testing.Patterns;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ElfCoreFormatTest {

    private static final int X86_64 = 62;

    @TempDir
    private Path folder;

    private Path file(byte[] content) {
        return ElfFiles.write(folder.resolve("core"), content);
    }

    private static byte[] read(Guest guest, long address, int size) {
        byte[] bytes = new byte[size];
        guest.memory().read(address, MemorySegment.ofArray(bytes));
        return bytes;
    }

    private Probe probe(byte[] content) {
        try (FileBytes file = FileBytes.open(file(content))) {
            return new ElfCoreFormat().probe(file);
        }
    }

    @Test
    void readsBothClassesInBothByteOrders() {
        byte[] low = Patterns.bytes(0x2000, 1);
        byte[] high = Patterns.bytes(0x1000, 2);
        for (boolean wide : new boolean[] {true, false}) {
            for (ByteOrder order : new ByteOrder[] {ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN}) {
                ElfFiles elf = new ElfFiles(wide, order, order == ByteOrder.BIG_ENDIAN ? 22 : X86_64, 0x8000);
                byte[] note = elf.note("CORE", 1, new byte[336]);
                elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
                elf.load(0, low).load(0xfff00000L, high);
                try (Guest guest = Guests.open(file(elf.build()))) {
                    assertEquals(
                            List.of(new AddressRange(0, 0x1fff), new AddressRange(0xfff00000L, 0xfff00fffL)),
                            guest.memory().regions().stream().map(region -> region.range()).toList());
                    assertArrayEquals(low, read(guest, 0, low.length));
                    assertArrayEquals(high, read(guest, 0xfff00000L, high.length));
                    assertEquals(1, guest.vcpus().size());
                    assertEquals(
                            order == ByteOrder.BIG_ENDIAN ? wide ? "s390x" : "s390" : "x86",
                            guest.architecture().name());
                    assertEquals(order == ByteOrder.LITTLE_ENDIAN,
                            guest.vcpus().getFirst().registers().knows(X86.RIP));
                    assertTrue(guest.findings().isEmpty(), guest.findings()::toString);
                }
            }
        }
    }

    @Test
    void takesProgramHeadersAnywhereAndAnyHeaderSize() {
        byte[] content = Patterns.bytes(0x100, 3);
        for (int place : new int[] {64, 192, 0x400}) {
            byte[] core = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 3, 0x1000)
                    .headerSize(8)
                    .load(0x5000, content)
                    .build(place);
            try (Guest guest = Guests.open(file(core))) {
                assertArrayEquals(content, read(guest, 0x5000, content.length));
                assertEquals("ELF64", guest.provenance().layout());
            }
        }
    }

    @Test
    void readsTheNumberOfProgramHeadersFromSectionZero() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        ByteBuffer section = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN).putInt(44, 2);
        elf.sectionHeaderOffset(elf.content(section.array()));
        elf.programHeaderCount(0xffff).load(0x1000, new byte[] {1}).load(0x3000, new byte[] {2});
        elf.content(new byte[0x100]);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertEquals(2, guest.memory().regions().size());
            assertEquals(2, read(guest, 0x3000, 1)[0]);
        }
    }

    @Test
    void tellsPagesThatWereLeftOut() {
        byte[] content = Patterns.bytes(0x1000, 4);
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x4000);
        elf.programHeader(1, elf.content(content), 0, 0x10000, 0x1000, 0x3000);
        elf.programHeader(1, -1, 0, 0x20000, 0, 0x1000);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertEquals(PageState.PRESENT, guest.memory().runAt(0x10000).state());
            assertEquals(new AddressRange(0x11000, 0x12fff), guest.memory().runAt(0x11000).range());
            assertEquals(PageState.EXCLUDED, guest.memory().runAt(0x11000).state());
            assertEquals(PageState.ABSENT, guest.memory().runAt(0x13000).state());
            assertEquals(PageState.EXCLUDED, guest.memory().runAt(0x20000).state());
            assertTrue(guest.findings().isEmpty(), guest.findings()::toString);
        }
    }

    @Test
    void sortsSegmentsAndSettlesOverlap() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x8000);
        elf.programHeader(1, 0, 0, 0x2000, 0, 0x2000);
        elf.load(0x3000, Patterns.bytes(0x1000, 5));
        elf.load(0x1000, Patterns.bytes(0x1800, 6));
        elf.load(0x2000, Patterns.bytes(0x1000, 7));
        try (Guest guest = Guests.open(file(elf.build()))) {
            // Content goes before none, and the earlier segment before the later.
            byte[] expected = new byte[0x3000];
            System.arraycopy(Patterns.bytes(0x1800, 6), 0, expected, 0, 0x1800);
            System.arraycopy(Patterns.bytes(0x1000, 7), 0x800, expected, 0x1800, 0x800);
            System.arraycopy(Patterns.bytes(0x1000, 5), 0, expected, 0x2000, 0x1000);
            assertArrayEquals(expected, read(guest, 0x1000, expected.length));
        }
    }

    @Test
    void readsAFlattenedCoreLikeAnAssembledOne() throws Exception {
        byte[] content = Patterns.bytes(0x5000, 8);
        byte[] core = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x8000).load(0x9000, content).build();
        FlattenedFiles stream = new FlattenedFiles();
        for (int at = 0; at < core.length; at += 777) {
            stream.piece(at, Arrays.copyOfRange(core, at, Math.min(core.length, at + 777)));
        }
        try (Guest guest = Guests.open(stream.end().write(folder.resolve("flat")))) {
            assertArrayEquals(content, read(guest, 0x9000, content.length));
            assertEquals("ELF64, flattened", guest.provenance().layout());
        }
    }

    @Test
    void keepsKernelFactsAndUnknownNotes() {
        byte[] text = "OSRELEASE=6.1.0\nPAGESIZE=4096\nNUMBER(phys_base)=4096\n".getBytes(StandardCharsets.US_ASCII);
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        byte[] one = elf.note("VMCOREINFO", 0, text);
        byte[] two = elf.note("ERASEINFO", 0, new byte[] {1, 2, 3});
        elf.programHeader(4, elf.content(one), 0, 0, one.length, one.length);
        elf.programHeader(4, elf.content(two), 0, 0, two.length, two.length);
        elf.load(0, new byte[16]);
        try (Guest guest = Guests.open(file(elf.build()))) {
            VmcoreInfoFacts kernel = guest.facts(VmcoreInfoFacts.class).orElseThrow();
            assertArrayEquals(text, kernel.vmcoreInfo());
            assertEquals("6.1.0", kernel.value("OSRELEASE").orElseThrow());
            ElfFacts.Note note = guest.facts(ElfFacts.class).orElseThrow().notes().getFirst();
            assertEquals("ERASEINFO", note.name());
            assertArrayEquals(new byte[] {1, 2, 3}, note.descriptor());
        }
    }

    @Test
    void saysWhyItDoesNotMatch() {
        assertEquals("does not begin as an ELF file", probe(new byte[100]).reason());
        byte[] executable = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x1000)
                .u16(16, 2)
                .load(0, new byte[1])
                .build();
        assertEquals(
                "an ELF file, but not a core (e_type 2): a program, a library or a kernel with its symbols; name the"
                        + " dump",
                probe(executable).reason());
        for (boolean wide : new boolean[] {true, false}) {
            Path bare = file(new ElfFiles(wide, ByteOrder.LITTLE_ENDIAN, wide ? X86_64 : 3, 0x1000).build());
            assertEquals(
                    bare + ": an ELF core without memory: it has no program header of type PT_LOAD",
                    assertThrows(UnrecognizedFormatException.class, () -> Guests.open(bare)).getMessage());
        }
        byte[] good = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x1000).load(0, new byte[1]).build();
        assertEquals(Probe.Match.GENERAL, probe(good).match());
    }

    @Test
    void refusesTheCoreOfAProcess() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        byte[] note = elf.note("CORE", 3, new byte[136]);
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        int offset = elf.content(new byte[32]);
        elf.programHeader(1, offset, 0x400000, 0, 16, 16).programHeader(1, offset + 16, 0x600000, 0, 16, 16);
        Path path = file(elf.build());
        assertEquals(
                path + ": at offset 0x2f8: p_paddr: expected physical addresses, found 0 in all segments, and notes about"
                        + " a process; this is the core of a process, not of a machine; open it with gdb",
                assertThrows(MalformedDumpException.class, () -> Guests.open(path)).getMessage());
    }

    /** The kernel's page for user programs is among a process' segments, and makes no kernel of it. */
    @Test
    void aProcessWithAPageOfTheKernelIsStillAProcess() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        byte[] note = elf.note("CORE", 3, new byte[136]);
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        int offset = elf.content(new byte[32]);
        elf.programHeader(1, offset, 0x400000, 0, 16, 16).programHeader(1, offset + 16, 0xffffffffff600000L, 0, 16, 16);
        Path path = file(elf.build());
        assertTrue(assertThrows(MalformedDumpException.class, () -> Guests.open(path)).getMessage()
                .contains("this is the core of a process"));
    }

    /** Linux says p_paddr of all ones where what it maps has no single physical address. */
    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void leavesSegmentsOfKcoreWithoutAPhysicalAddressAside(boolean wide) {
        ByteOrder order = wide ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        long nowhere = wide ? -1 : 0xffffffffL;
        ElfFiles elf = new ElfFiles(wide, order, wide ? X86_64 : 20, 0x2000);
        int offset = elf.content(Patterns.bytes(0x100, 3));
        elf.programHeader(1, 0x7f000000, wide ? 0xffffc90000000000L : 0xd0000000L, nowhere, 0x100000, 0x100000);
        elf.programHeader(1, offset, wide ? 0xffff888000000000L : 0xc0000000L, 0, 0x100, 0x100);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertArrayEquals(Patterns.bytes(0x100, 3), read(guest, 0, 0x100));
            assertEquals(1, guest.memory().regions().size());
            assertEquals(List.of(Severity.OMITTED),
                    guest.findings().stream().map(Finding::severity).toList(), guest.findings()::toString);
            assertTrue(guest.findings().getFirst().message().contains(": 1 segment has no single physical address"));
        }
    }

    /** Old kernels say p_paddr 0; a note names the program that "crashed" vmlinux. */
    @Test
    void anOldCopyOfKcoreIsNoProcess() {
        for (long base : new long[] {0xc0000000L, 0x1000}) {
            ElfFiles elf = new ElfFiles(false, ByteOrder.BIG_ENDIAN, 20, 0x2000);
            byte[] description = new byte[128];
            byte[] name = (base < 0x80000000L ? "vmlinux" : "kernel").getBytes(StandardCharsets.US_ASCII);
            System.arraycopy(name, 0, description, 32, name.length);
            byte[] note = elf.note("CORE", 3, description);
            elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
            int offset = elf.content(Patterns.bytes(32, 9));
            elf.programHeader(1, offset, base, 0, 16, 16).programHeader(1, offset + 16, 0xf1000000L, 0, 16, 16);
            try (Guest guest = Guests.open(file(elf.build()))) {
                assertArrayEquals(Patterns.bytes(16, 9), read(guest, base, 16));
                assertTrue(guest.findings().getFirst().message().contains("a copy of /proc/kcore"));
            }
        }
    }

    /** vsyscall and vmalloc have no physical address; of the kernel's image there is one, but not its content. */
    @Test
    void ofACopyOfKcoreOnlyWhatIsCutIsDamage() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        byte[] task = elf.note("CORE", 4, new byte[64]);
        elf.programHeader(4, elf.content(task), 0, 0, task.length, task.length);
        elf.programHeader(1, 0x7fffff602000L, 0xffffffffff600000L, -1, 0x1000, 0x1000);
        elf.programHeader(1, 0x408000002000L, 0xffffc90000000000L, -1, 0x1fffffffffffL, 0x1fffffffffffL);
        elf.programHeader(1, 0x7fff81002000L, 0xffffffff81000000L, 0x1000000, 0x1000, 0x1000);
        elf.programHeader(1, elf.content(Patterns.bytes(0x100, 3)), 0xffff888000001000L, 0x1000, 0x100, 0x100);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertArrayEquals(Patterns.bytes(0x100, 3), read(guest, 0x1000, 0x100));
            assertEquals(List.of(0x1000L, 0x1000000L),
                    guest.memory().regions().stream().map(region -> region.range().first()).toList());
            List<Finding> damage = guest.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .toList();
            assertEquals(1, damage.size(), damage::toString);
            assertTrue(damage.getFirst().message().contains("the memory at 0x1000000 is lost"), damage::toString);
            assertTrue(guest.findings().stream()
                    .anyMatch(finding -> finding.message().contains("2 segments have no single physical address")),
                    guest.findings()::toString);
        }
    }

    /** Kernels of 64 bits said p_paddr 0 once, too; NT_TASKSTRUCT alone made it the core of a process. */
    @Test
    void anOldCopyOfKcoreOf64BitsIsNoProcess() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        byte[] task = elf.note("CORE", 4, new byte[64]);
        elf.programHeader(4, elf.content(task), 0, 0, task.length, task.length);
        int offset = elf.content(Patterns.bytes(32, 9));
        elf.programHeader(1, offset, 0xffff880000001000L, 0, 16, 16);
        elf.programHeader(1, offset + 16, 0xffffffff81000000L, 0, 16, 16);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertArrayEquals(Patterns.bytes(16, 9), read(guest, 0xffff880000001000L, 16));
            assertTrue(guest.findings().getFirst().message().contains("is shown at p_vaddr"),
                    guest.findings()::toString);
        }
    }

    @Test
    void showsVirtualAddressesWhereThereAreNoPhysicalOnes() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        int offset = elf.content(Patterns.bytes(32, 9));
        elf.programHeader(1, offset, 0x400000, 0, 16, 16).programHeader(1, offset + 16, 0x600000, 0, 16, 16);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertArrayEquals(Patterns.bytes(16, 9), read(guest, 0x400000, 16));
            assertTrue(guest.findings().getFirst().message().contains("it is shown at p_vaddr"));
        }
    }

    /** As QEMU writes a guest that maps its first page several times. */
    @Test
    void takesSegmentsOverTheSameBytesForOneMemory() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        int offset = elf.content(Patterns.bytes(32, 9));
        elf.programHeader(1, offset, 0xffffff0000L, 0, 16, 16).programHeader(1, offset, 0x600000, 0, 32, 32);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertArrayEquals(Patterns.bytes(32, 9), read(guest, 0, 32));
            assertEquals(1, guest.memory().regions().size());
            assertTrue(guest.findings().isEmpty(), guest.findings()::toString);
        }
    }

    @Test
    void reportsSegmentsThatMakeNoSense() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x2000);
        elf.load(0x1000, new byte[16]);
        elf.programHeader(1, elf.content(new byte[16]), 0, 0x2000, 16, 8);
        elf.programHeader(1, elf.content(new byte[16]), 0, -16L, 16, 64);
        elf.programHeader(1, 1L << 62, 0, 0x4000, 16, 16);
        elf.programHeader(1, -5, 0, 0x5000, -1, -1);
        Path path = file(elf.build());
        try (Guest guest = Guests.open(path)) {
            assertEquals(
                    List.of(
                            path + ": at offset 0x268: p_memsz of program header 1: expected at least p_filesz, 0x10,"
                                    + " found 0x8; p_filesz is used as the size",
                            path + ": at offset 0x2a0: end of program header 2: expected at most 2^64, found"
                                    + " 0xfffffffffffffff0 + 0x40; the segment is taken to end at 2^64",
                            path + ": at offset 0x2d8: content of program header 3: expected 0x10 bytes at offset"
                                    + " 0x4000000000000000, found 0x0 bytes up to the end of the file; the rest of the"
                                    + " memory at 0x4000 is lost",
                            path + ": at offset 0x310: end of program header 4: expected at most 2^64, found 0x5000 +"
                                    + " 0xffffffffffffffff; the segment is taken to end at 2^64",
                            path + ": at offset 0x310: content of program header 4: expected 0xffffffffffffb000 bytes at"
                                    + " offset 0xfffffffffffffffb, found 0x0 bytes up to the end of the file; the rest of"
                                    + " the memory at 0x5000 is lost"),
                    guest.findings().stream().map(Finding::message).toList());
            assertEquals(16, read(guest, -16L, 16).length);
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0x4000).state());
        }
    }

    /** A bit of p_paddr changed; where p_vaddr changes with it, the writer meant it so. */
    @Test
    void aSegmentOfWholePagesThatBeginsInsideOneIsDamage() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x4000);
        elf.load(0x1000, new byte[0x1000]).load(0x8004, new byte[0x1000]).load(0xa004, new byte[0x100]);
        elf.programHeader(1, elf.content(new byte[0x1000]), 0xffff_8880_0001_0800L, 0x10800, 0x1000, 0x1000);
        Path path = file(elf.build());
        try (Guest guest = Guests.open(path)) {
            assertEquals(
                    List.of(Finding.damage(path
                            + ": at offset 0x3338: p_paddr of program header 1: expected the start of a"
                            + " page, as the segment is of whole pages, found 0x8004; the memory may belong to another"
                            + " address")),
                    guest.findings());
        }
    }

    private byte[] wholeCore() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x4000);
        byte[] status = elf.note("CORE", 1, Patterns.bytes(336, 1));
        byte[] state =
                elf.note("QEMU", 0, ByteBuffer.wrap(Patterns.bytes(440, 2)).put(0, new byte[] {1, 0, 0, 0}).array());
        byte[] info = elf.note("VMCOREINFO", 0, "OSRELEASE=6.1.0-test-of-cores\n".getBytes(StandardCharsets.US_ASCII));
        int offset = elf.content(status);
        elf.content(state);
        elf.content(info);
        int size = status.length + state.length + info.length;
        elf.programHeader(4, offset, 0, 0, size, size);
        elf.load(0x1000, Patterns.bytes(0x200, 1)).load(0x8000, Patterns.bytes(0x100, 1));
        elf.programHeader(1, 0, 0, 0xa000, 0, 0x1000);
        return elf.build(64);
    }

    private void openAndReadAll(byte[] content) {
        Path path = file(content);
        try (FileBytes file = FileBytes.open(path)) {
            new ElfCoreFormat().rules(file, true, Progress.none());
            if (!new ElfCoreFormat().probe(file).claims()) {
                return;
            }
            try (Guest guest = new ElfCoreFormat().open(file)) {
                byte[] page = new byte[4096];
                guest.memory().regions().forEach(
                        region -> guest.memory().readAvailable(region.range().first(), MemorySegment.ofArray(page)));
            }
        } catch (GuestcoreException e) {
            assertTrue(e.getMessage().startsWith(path.toString()), e.getMessage());
        }
    }

    @Test
    @Tag("slow")
    void survivesEveryTruncation() {
        byte[] core = wholeCore();
        for (int length = 0; length < core.length; length++) {
            openAndReadAll(Arrays.copyOf(core, length));
        }
    }

    @Test
    @Tag("slow")
    void survivesFlippedBytes() {
        byte[] core = wholeCore();
        Random random = new Random(20260102);
        for (int round = 0; round < 2500; round++) {
            byte[] damaged = core.clone();
            for (int i = 0; i < 1 + round % 3; i++) {
                damaged[random.nextInt(round % 2 == 0 ? 0x140 : core.length)] = (byte) random.nextInt();
            }
            openAndReadAll(damaged);
        }
    }

    @Test
    void opensAMillionSegmentsWithinTheHeap() throws Exception {
        int count = 1_000_000;
        Path path = folder.resolve("million");
        byte[] head = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x400)
                .programHeaderCount(0xffff)
                .sectionHeaderOffset(0x100)
                .build(0x200);
        ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).putInt(0x100 + 44, count);
        try (RandomAccessFile out = new RandomAccessFile(path.toFile(), "rw")) {
            out.write(head);
            out.setLength(0x200);
            ByteBuffer headers = ByteBuffer.allocate(56 * 1000).order(ByteOrder.LITTLE_ENDIAN);
            FileChannel channel = out.getChannel().position(0x200);
            for (int i = 0; i < count; i++) {
                headers.putInt(1).putInt(4).putLong(0x200).putLong(0);
                // Every other one comes from the top, so that they must be sorted.
                long page = i % 2 == 0 ? i : 2L * count - i;
                headers.putLong(page * 0x2000).putLong(16).putLong(16).putLong(0);
                if (!headers.hasRemaining()) {
                    channel.write(headers.flip());
                    headers.clear();
                }
            }
        }
        try (Guest guest = Guests.open(path)) {
            assertEquals(count, guest.memory().regions().size());
            assertEquals(1, read(guest, 2L * 0x2000, 1)[0]);
            assertEquals(PageState.ABSENT, guest.memory().runAt(1L * 0x2000).state());
        }
    }

    @Test
    void verifiesAGoodCoreAndNamesWhatIsWrongWithABadOne() throws Exception {
        Path good = file(wholeCore());
        try (FileBytes file = FileBytes.open(good)) {
            List<Check> checks = new ElfCoreFormat().rules(file, true, Progress.none());
            assertTrue(checks.stream().allMatch(check -> check.result() == Check.Result.PASS), checks::toString);
            assertEquals(19, checks.size());
        }
        try (FileChannel channel = FileChannel.open(good, StandardOpenOption.WRITE)) {
            channel.truncate(Files.size(good) - 0x20);
        }
        try (FileBytes file = FileBytes.open(good)) {
            List<String> failed = new ElfCoreFormat().rules(file, true, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList();
            assertEquals(List.of("elf-10", "elf-16"), failed);
        }
    }

    @Test
    void tellsWhatOfTheFileIsNotRead() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, X86_64, 0x8000).load(0, Patterns.bytes(0x1000, 1));
        elf.programHeader(0, elf.content(new byte[0x1000]), 0, 0, 0x1000, 0x1000);
        elf.programHeader(0x6474e551, 0, 0, 0, 0, 0);
        elf.programHeader(0x60000001, elf.content(new byte[0x1000]), 0, 0, 0x1000, 0x1000);
        try (Guest guest = Guests.open(file(elf.build()))) {
            assertEquals(
                    List.of(Severity.OMITTED),
                    guest.findings().stream().map(Finding::severity).toList());
            assertTrue(guest.findings().getFirst().message().contains(": 1 program header with content"));
        }
    }
}

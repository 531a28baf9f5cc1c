package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.elf.ElfCoreFormat;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Patterns;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Machine, word size and byte order on their way into an ELF core. Numbers of machines are those of elf.h. */
class ForeignMachineTest {

    @TempDir
    private Path folder;

    private Path elfOf(Path from, Map<String, String> options) {
        Path to = folder.resolve("to.elf");
        try (Guest guest = Guests.open(from)) {
            new ElfCoreFormat().writer(options).write(guest, to, Progress.none());
        }
        return to;
    }

    /** "class data machine flags" of an ELF header. */
    private static String header(Path core) throws Exception {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(core));
        file.order(file.get(5) == 1 ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN);
        return file.get(4) * 32 + (file.get(5) == 1 ? " little " : " big ") + file.getShort(18) + " "
                + file.getInt(file.get(4) == 1 ? 36 : 48);
    }

    private KdumpImage kdump(KdumpImage.Machine like, String name) {
        return new KdumpImage(like, 6, 4096).machine(name).page(0, Patterns.bytes(4096, 1), 0);
    }

    @ParameterizedTest
    @CsvSource({
        "PPC64, s390x, 64 big 22 0",
        "X86_64, riscv64, 64 little 243 0",
        "X86_64, loongarch64, 64 little 258 0",
        "X86_64, mips64, 64 little 8 0",
        "PPC64, mips64, 64 big 8 0",
        "PPC64, sparc64, 64 big 43 0",
        "X86_64, ppc64le, 64 little 21 0",
        "X86_64, aarch64, 64 little 183 0",
        "ARM, armv7l, 32 little 40 0",
        "PPC, ppc, 32 big 20 0"
    })
    void theMachineOfAKdumpSurvives(KdumpImage.Machine like, String name, String expected) throws Exception {
        Path dump = kdump(like, name).write(folder.resolve("dump"));
        assertEquals(expected, header(elfOf(dump, Map.of())));
    }

    @Test
    void anUnknownMachineIsAskedFor() throws Exception {
        Path dump = kdump(KdumpImage.Machine.X86_64, "hexagon").write(folder.resolve("dump"));
        UnsupportedRequestException refused =
                assertThrows(UnsupportedRequestException.class, () -> elfOf(dump, Map.of()));
        assertTrue(refused.getMessage().contains("option machine"), refused::getMessage);
        assertEquals("64 little 243 0", header(elfOf(dump, Map.of("machine", "riscv"))));
    }

    /** Its notes have the size of those of x86-64, and its kernel a symbol of the same name. */
    @Test
    void aNameThatIsNotKnownIsNotOutweighedByWhatMachinesShare() throws Exception {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 14);
        Path dump = kdump(KdumpImage.Machine.X86_64, "foo")
                .vmcoreInfo("OSRELEASE=6.1.0\nSYMBOL(init_top_pgt)=ffffffff82200000\n")
                .notes(elf.note("CORE", 1, Patterns.bytes(336, 3)))
                .write(folder.resolve("dump"));
        try (Guest guest = Guests.open(dump)) {
            assertEquals(Architecture.UNKNOWN, guest.architecture());
            assertEquals(Set.of(), guest.vcpus().getFirst().registers().known());
            assertTrue(guest.findings().getFirst().message().contains("the header says 'foo'"),
                    guest.findings()::toString);
            for (String format : List.of("elf", "kdump", "vbox", "xen")) {
                CoreWriter writer = Guests.format(format).writer(Map.of());
                assertThrows(UnsupportedRequestException.class, () -> writer.plan(guest), format);
            }
        }
    }

    /** QEMU writes its own notes for x86 only. */
    @Test
    void qemusOwnNotesOutweighTheName() throws Exception {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 14);
        byte[] state = new byte[440];
        ByteBuffer.wrap(state).order(ByteOrder.LITTLE_ENDIAN).putInt(1).putInt(440).putLong(8, 7);
        Path dump =
                kdump(KdumpImage.Machine.X86_64, "foo").notes(elf.note("QEMU", 0, state)).write(folder.resolve("dump"));
        try (Guest guest = Guests.open(dump)) {
            assertEquals(7, guest.vcpus().getFirst().registers().get(X86.RAX));
        }
    }

    @Test
    void aKnownMachineCannotBeCalledAnother() {
        Path dump = kdump(KdumpImage.Machine.PPC64, "s390x").write(folder.resolve("dump"));
        for (String other : new String[] {"x86-64", "sparc64"}) {
            assertThrows(UnsupportedRequestException.class, () -> elfOf(dump, Map.of("machine", other)));
        }
    }

    @ParameterizedTest
    @CsvSource({"40, LITTLE", "20, BIG", "8, BIG", "3, LITTLE"})
    void a32BitCoreStaysOne(int machine, String endian) throws Exception {
        ByteOrder order = endian.equals("BIG") ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
        ElfFiles elf = new ElfFiles(false, order, machine, 0x4000).u16(order == ByteOrder.BIG_ENDIAN ? 38 : 36, 0x1234);
        byte[] note = elf.note("CORE", 1, Patterns.bytes(148, 3));
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        elf.load(0, Patterns.bytes(0x1000, 1)).load(0xfffff000L, Patterns.bytes(0x1000, 2));
        Path from = ElfFiles.write(folder.resolve("from"), elf.build());
        Path to = elfOf(from, Map.of());
        String data = order == ByteOrder.BIG_ENDIAN ? "big" : "little";
        assertEquals("32 " + data + " " + machine + " " + 0x1234, header(to));
        try (Guest before = Guests.open(from);
                Guest after = Guests.open(to)) {
            assertEquals(Patterns.contents(before.memory()), Patterns.contents(after.memory()));
            assertEquals(before.vcpus().size(), after.vcpus().size());
        }
    }

    @Test
    void a32BitCoreThatGrowsBeyond4GiBSaysSo() {
        ElfFiles elf = new ElfFiles(false, ByteOrder.LITTLE_ENDIAN, 40, 0x4000);
        byte[] page = Patterns.bytes(0x1000, 1);
        int place = elf.content(page);
        // Of 32-bit headers a segment can end above 4 GiB.
        elf.programHeader(1, place, 0, 0xfffff000L, 0x1000, 0x2000);
        Path from = ElfFiles.write(folder.resolve("from"), elf.build());
        try (Guest guest = Guests.open(from)) {
            WritePlan plan = new ElfCoreFormat().writer(Map.of()).plan(guest);
            assertEquals("ELF64", plan.layout());
            assertTrue(plan.losses().stream().anyMatch(loss -> loss.what().contains("32-bit")),
                    plan.losses()::toString);
        }
    }
}

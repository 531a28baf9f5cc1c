package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.MadeUpKernel;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DebuggerAdviceTest {

    private static final String VMCOREINFO =
            "OSRELEASE=6.1.0-9-example\nNUMBER(phys_base)=0\nSYMBOL(_stext)=ffffffff81000000\n";

    @TempDir
    private Path folder;

    /** Of QEMU: with VMCOREINFO, and without virtual addresses. */
    private Path core(long address, int size) {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 3 << 20);
        byte[] note = elf.note("VMCOREINFO", 0, VMCOREINFO.getBytes(StandardCharsets.US_ASCII));
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        return ElfFiles.write(folder.resolve("vm.core"), elf.load(address, new byte[size]).build());
    }

    private static Optional<DebuggerAdvice> drgn(Guest guest, Path core) {
        List<DebuggerAdvice> all =
                DebuggerAdvice.of(guest, core.toString(), KernelFacts.glance(guest), Guests.debuggers(guest));
        return all.stream().filter(advice -> advice.tool().equals("drgn")).findFirst();
    }

    @Test
    void anElfCoreIsConvertedForTheKernelsAddresses() throws Exception {
        Path core = core(0x1000000, 2 << 20);
        try (Guest guest = Guests.open(core)) {
            DebuggerAdvice advice = drgn(guest, core).orElseThrow();
            assertTrue(advice.conversion().orElseThrow().endsWith(" --to elf"), advice::toString);
            assertTrue(advice.reason().contains("this core has none"), advice::toString);
            Path converted = folder.resolve("converted.core");
            Guests.format("elf").writer(Map.of()).write(guest, converted, Progress.none());
            try (Guest again = Guests.open(converted)) {
                assertTrue(again.facts(ElfFacts.class).orElseThrow().kernelAddresses());
                assertEquals(Optional.empty(), drgn(again, converted).orElseThrow().conversion());
            }
        }
    }

    private static DebuggerAdvice of(String tool, Guest guest, String location) {
        KernelFacts facts = KernelFacts.search(guest, Progress.none());
        return DebuggerAdvice.of(guest, location, facts, Guests.debuggers(guest)).stream()
                .filter(advice -> advice.tool().equals(tool))
                .findFirst()
                .orElseThrow();
    }

    /** As in a small part of memory: the root that VMCOREINFO names is not in the file. */
    @Test
    void virtualMemoryIsNotPromisedWithoutPageTables() throws Exception {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 3 << 20);
        byte[] notes = concat(
                elf.note("CORE", 1, new byte[336]),
                elf.note("VMCOREINFO", 0, (VMCOREINFO + "SYMBOL(init_top_pgt)=ffffffff81200000\n")
                        .getBytes(StandardCharsets.US_ASCII)));
        elf.programHeader(4, elf.content(notes), 0, 0, notes.length, notes.length);
        Path core = ElfFiles.write(folder.resolve("part.core"), elf.load(0, new byte[4096]).build());
        try (Guest guest = Guests.open(core)) {
            DebuggerAdvice advice = of("gdb", guest, core.toString());
            assertEquals("guestcore gives gdb every vCPU's registers", advice.reason());
        }
    }

    private static byte[] concat(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    /** drgn looks into notes only, but a core that we write gets what is in memory. */
    @Test
    void vmcoreInfoInMemoryIsMadeANoteForDrgn() throws Exception {
        MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 32 << 20);
        byte[] note = elf.note("CORE", 1, new byte[336]);
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        Path core = ElfFiles.write(folder.resolve("vm.core"), elf.load(0, kernel.bytes()).build());
        try (Guest guest = Guests.open(core)) {
            DebuggerAdvice advice = of("drgn", guest, core.toString());
            assertTrue(advice.conversion().orElseThrow().endsWith(" --to elf"), advice::toString);
        }
    }

    /** An image of memory names no processor, but the kernel in it tells. */
    @Test
    void aKernelOfAnotherMachineIsNamedToTheConversion() throws Exception {
        byte[] memory = new byte[1 << 20];
        byte[] text = ("OSRELEASE=6.1.0-9-arm64\nPAGESIZE=4096\nNUMBER(VA_BITS)=48\nNUMBER(kimage_voffset)=0x0\n"
                + "KERNELOFFSET=0\nSYMBOL(_stext)=ffff800008010000\nSYMBOL(swapper_pg_dir)=ffff80000a010000\n"
                + "CRASHTIME=0\n")
                .getBytes(StandardCharsets.US_ASCII);
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 183, 4096);
        byte[] note = elf.note("VMCOREINFO", 0, text);
        System.arraycopy(note, 0, memory, 0x4000, note.length);
        String image = "raw:" + Files.write(folder.resolve("memory"), memory) + "@0x40000000";
        try (Guest guest = Guests.open(image)) {
            for (String tool : List.of("crash", "drgn")) {
                DebuggerAdvice advice = of(tool, guest, image);
                assertTrue(advice.conversion().orElseThrow().endsWith(" -o guest.elf --machine aarch64 --to elf"),
                        advice::toString);
            }
        }
    }

    /** Without the kernel's image or its page tables, an ELF core that we write has no such addresses either. */
    @Test
    void aConversionThatGivesNothingIsNotAdvised() {
        Path core = core(0x4000, 4096);
        try (Guest guest = Guests.open(core)) {
            assertEquals(Optional.empty(), drgn(guest, core));
        }
    }
}

package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.MadeUpKernel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code info} knows of the kernel's page tables, every command that takes virtual addresses uses. */
class KernelAddressesTest {

    private static final String BANNER = "Linux version";
    private static final long C_BIT = 1L << 51;

    @TempDir
    Path folder;

    private static MadeUpKernel kernel(long mask) {
        return MadeUpKernel.at(0x1a00_0000, 8 << 20, mask, false);
    }

    private static VmcoreInfoFacts note(MadeUpKernel kernel) {
        return new VmcoreInfoFacts(kernel.vmcoreInfo().getBytes(StandardCharsets.US_ASCII));
    }

    private String write(Guest guest, String format) {
        Path core = folder.resolve("core." + format);
        try (OutputFile file = OutputFile.create(core, OutputFile.IfExists.FAIL)) {
            Guests.formats().stream()
                    .filter(one -> one.name().equals(format))
                    .findFirst()
                    .orElseThrow()
                    .writer(Map.of())
                    .plan(guest)
                    .write(file.sink(), Progress.none());
            file.commit();
        }
        return core.toString();
    }

    /** A struct elf_prstatus of x86-64: the process at 32, rip at 240, cs, rflags and rsp behind it. */
    private static byte[] processStatus(int process, RegisterState registers) {
        ByteBuffer status = ByteBuffer.allocate(336).order(ByteOrder.LITTLE_ENDIAN);
        status.putInt(32, process);
        List<Register> order = List.of(X86.RIP, X86.CS, X86.RFLAGS, X86.RSP);
        for (int i = 0; i < order.size(); i++) {
            status.putLong(240 + i * Long.BYTES, registers.getOrElse(order.get(i), 0));
        }
        return status.array();
    }

    /** As /proc/vmcore is: NT_PRSTATUS for each CPU and VMCOREINFO, and nothing about control registers. */
    private String vmcore(MadeUpKernel kernel) throws IOException {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, MadeUpKernel.SIZE + 0x2000);
        ByteArrayOutputStream notes = new ByteArrayOutputStream();
        for (int cpu = 0; cpu < 2; cpu++) {
            notes.writeBytes(
                    elf.note("CORE", 1, processStatus(cpu + 1, kernel.generalRegisters())));
        }
        notes.writeBytes(elf.note("VMCOREINFO", 0, kernel.vmcoreInfo().getBytes(StandardCharsets.US_ASCII)));
        int size = notes.size();
        int offset = elf.content(notes.toByteArray());
        int memory = elf.content(kernel.bytes());
        Path core = folder.resolve("vmcore");
        Files.write(core, elf.programHeader(4, offset, 0, 0, size, size)
                .programHeader(1, memory, 0xffff_8880_0000_0000L, 0, MadeUpKernel.SIZE, MadeUpKernel.SIZE)
                .build());
        return core.toString();
    }

    private static String hex(long address) {
        return "0x" + Long.toHexString(address);
    }

    /** Every verb reads the text, or maps its page, and says on what it relies. */
    private static void assertEveryVerbReads(MadeUpKernel kernel, String core, String basis) throws Exception {
        String address = hex(kernel.textAddress());
        Run read = Run.of("read", "--virtual", "--raw", core, address, Integer.toString(MadeUpKernel.TEXT.length()));
        assertEquals(MadeUpKernel.TEXT, read.expect(0).out());
        assertTrue(read.err().contains(basis), read.err());
        Run search = Run.of("search", "--virtual", core, MadeUpKernel.TEXT);
        assertTrue(search.expect(0).out().contains(address), search.out());
        assertTrue(search.err().contains(basis), search.err());
        Run map = Run.of("map", "--virtual", core);
        assertTrue(map.expect(0).out().contains(hex(kernel.textAddress() & -0x20_0000)), map.out());
        assertTrue((map.out() + map.err()).contains(basis), map.out());
        Run translate = Run.of("translate", core, address).expect(0);
        assertTrue((translate.out() + translate.err()).contains(basis), translate.out());
        String err = gdbReads(kernel, core);
        assertTrue(err.contains(basis), err);
    }

    /** Asks the server of gdb for the text; gives what it said on standard error. */
    private static String gdbReads(MadeUpKernel kernel, String core, String... options) throws IOException {
        List<String> words = new ArrayList<>(List.of("gdb", core, "--stdio"));
        words.addAll(List.of(options));
        Process gdb = Child.start(words.toArray(String[]::new));
        String packet = "m" + Long.toHexString(kernel.textAddress()) + ",14";
        int sum = packet.chars().sum() & 0xff;
        gdb.getOutputStream().write(
                ("$" + packet + "#" + HexFormat.of().toHexDigits((byte) sum)).getBytes(StandardCharsets.US_ASCII));
        gdb.getOutputStream().close();
        try (InputStream out = gdb.getInputStream()) {
            String reply = new String(out.readAllBytes(), StandardCharsets.US_ASCII);
            String expected = HexFormat.of().formatHex(MadeUpKernel.TEXT.getBytes(StandardCharsets.US_ASCII));
            assertTrue(reply.contains(expected), reply);
        }
        return new String(gdb.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    @Test
    void aDumpThatTheKernelMadeOfItself() throws Exception {
        MadeUpKernel kernel = kernel(0);
        String core = vmcore(kernel);
        assertEveryVerbReads(kernel, core, "SYMBOL(swapper_pg_dir) and phys_base of VMCOREINFO (note of the dump)");
        Run.of("read", "--virtual", "--cpu", "1", core, hex(kernel.textAddress())).expect(0);
        Run stated = Run.of("read", "--virtual", "--cr3", "0x5000", core, hex(kernel.textAddress()));
        assertEquals(ExitCode.FAILED, stated.code(), "what is stated counts");
    }

    @Test
    void anImageOfMemoryWithoutRegisters() throws Exception {
        MadeUpKernel kernel = kernel(C_BIT).withNoteAt(0x40_0000);
        assertEveryVerbReads(kernel, write(kernel.guest().build(), "lime"), "VMCOREINFO (at guest-physical 0x400018)");
        Path raw = folder.resolve("memory.img");
        MadeUpKernel bare = kernel(0);
        Files.write(raw, bare.bytes());
        assertEveryVerbReads(bare, "raw:" + raw, "found near the banner");
    }

    @Test
    void anEncryptedGuest() throws Exception {
        MadeUpKernel kernel = kernel(C_BIT);
        String core = write(kernel.guest().vcpu(kernel.registers()).facts(note(kernel)).build(), "elf");
        assertEveryVerbReads(kernel, core, "address bit 51 marks encrypted pages");
    }

    @Test
    void anEncryptionBitThatNothingStatesIsNamedAndCanBeGiven() throws Exception {
        MadeUpKernel kernel = kernel(1L << 47);
        String core = write(kernel.guest().vcpu(kernel.registers()).build(), "elf");
        String address = hex(kernel.textAddress());
        for (List<String> verb : List.of(
                List.of("read", "--virtual", core, address),
                List.of("translate", core, address),
                List.of("search", "--virtual", core, "text"),
                List.of("map", "--virtual", core))) {
            Run.of(verb.toArray(String[]::new)).failsWith(ExitCode.FAILED, "with --c-bit 47");
        }
        Run read = Run.of("read", "--virtual", "--c-bit", "47", core, address).expect(0);
        assertTrue(read.out().contains("a text of the ke"), read.out());
        gdbReads(kernel, core, "--c-bit", "47");
    }

    /** Neither a register nor VMCOREINFO tells of the page tables, but the user does. */
    @Test
    void aRootThatNothingTellsCanBeGivenToEveryVerb() throws Exception {
        MadeUpKernel kernel = kernel(0);
        byte[] memory = kernel.bytes();
        String text = new String(memory, StandardCharsets.ISO_8859_1);
        for (int at = text.indexOf(BANNER); at >= 0; at = text.indexOf(BANNER, at + 1)) {
            memory[at] = 'X';
        }
        String core = write(
                Guest.builder().ram(0, MemorySegment.ofArray(memory)).vcpu(kernel.generalRegisters()).build(), "elf");
        String address = hex(kernel.textAddress());
        String[] stated = {"--cr3", hex(kernel.root()), "--paging", "4-level"};
        assertEquals(ExitCode.FAILED, Run.of("read", "--virtual", core, address).code());
        for (List<String> verb : List.of(
                List.of("read", "--virtual", core, address),
                List.of("translate", core, address),
                List.of("search", "--virtual", core, MadeUpKernel.TEXT),
                List.of("map", "--virtual", core))) {
            Run.of(Stream.concat(verb.stream(), Stream.of(stated)).toArray(String[]::new)).expect(0);
        }
        gdbReads(kernel, core, stated);
    }

    @Test
    void aVirtualAddressIsNoGuestPhysicalOne() throws IOException {
        MadeUpKernel kernel = kernel(0);
        String core = write(kernel.guest().vcpu(kernel.registers()).build(), "elf");
        Run.of("read", core, hex(kernel.textAddress())).failsWith(ExitCode.FAILED, "read it with --virtual");
        Run.of("read", core, "0xff11000000000000").failsWith(ExitCode.FAILED, "read it with --virtual");
        Run hole = Run.of("read", core, "0x7ffe1000");
        assertEquals(ExitCode.FAILED, hole.code());
        assertTrue(hole.err().contains("to read a virtual address, use --virtual"), hole.err());
        // Where a part can be read, that is the answer.
        Run.of("read", core, "0xfffff0", "32").expect(0);
    }

    @Test
    void aSearchThatReadNothingFoundNothingOut() throws IOException {
        MadeUpKernel kernel = kernel(0);
        String core = write(kernel.guest().vcpu(kernel.registers()).build(), "elf");
        for (List<String> where : List.of(List.of("--virtual", "--range", "0x1000-0x1fff"),
                List.of("--range", "1T-2T"))) {
            List<String> words = new ArrayList<>(List.of("search", core, "text"));
            words.addAll(where);
            Run run = Run.of(words.toArray(String[]::new));
            assertEquals(ExitCode.FAILED, run.code());
            assertTrue(run.out().startsWith("nothing was searched"), run.out());
            assertFalse(run.out().contains("nothing found"), run.out());
        }
    }

    @Test
    void ofTwoVmcoreInfosTheOneThatRunsCounts() throws IOException {
        MadeUpKernel old = MadeUpKernel.at(0x800_0000, 2 << 20).withNoteAt(0x10_0000);
        MadeUpKernel running = old.beside(0x1a00_0000, 8 << 20).withNoteAt(0xf0_0000);
        Path raw = folder.resolve("two.img");
        Files.write(raw, running.bytes());
        Run doubt = Run.of("info", "--vmcoreinfo", "raw:" + raw).expect(0);
        assertTrue(doubt.err().contains("0x100018, 0xf00018"), doubt.err());
        assertTrue(doubt.err().contains("may be that of another kernel"), doubt.err());
        String core = write(running.guest().vcpu(running.registers()).build(), "lime");
        assertTrue(Run.of("info", "--vmcoreinfo", core).expect(0).err().contains("0x100018, 0xf00018"));
        String converted = folder.resolve("two.elf").toString();
        Run convert = Run.of("convert", "raw:" + raw, "-o", converted, "--to", "elf").expect(0);
        assertTrue((convert.out() + convert.err()).contains("may be that of another kernel"),
                convert.out() + convert.err());
    }
}

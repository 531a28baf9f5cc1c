package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.MadeUpKernel;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class KernelFactsTest {

    private static final String BANNER =
            "Linux version 6.9.7-test (builder@host) (gcc 14.1.0) #1 SMP PREEMPT_DYNAMIC Thu Jan  1 00:00:00 UTC 1970";
    private static final int KERNEL_ROOT = 0x2000;
    private static final int USER_ROOT = 0x3000;
    private static final int IMAGE = 0x40_0000;
    private static final long IMAGE_VIRTUAL = 0xffff_ffff_9a00_0000L;
    private static final long OFFSET = 0x1900_0000L;
    private static final long PHYSICAL_BASE = 0x40_0000L - 0x1a00_0000L;

    private final ByteBuffer memory = ByteBuffer.allocate(9 << 20).order(ByteOrder.LITTLE_ENDIAN);

    private void text(int at, String text) {
        memory.put(at, text.getBytes(StandardCharsets.UTF_8));
    }

    /** A kernel of 4 MiB at 0x400000, moved by KASLR, and the small table of user mode behind its own. */
    private void kernel() {
        memory.putLong(KERNEL_ROOT + 511 * 8, 0x4003);
        memory.putLong(0x4000 + 510 * 8, 0x5003);
        memory.putLong(0x5000 + 0xd0 * 8, IMAGE | 0x1a1);
        memory.putLong(0x5000 + 0xd1 * 8, IMAGE + 0x20_0000 | 0x1a3);
        memory.putLong(USER_ROOT + 511 * 8, 0x6003);
        memory.putLong(0x6000 + 510 * 8, 0x7003);
        memory.putLong(0x7000 + 0xd1 * 8, 0x8003);
        memory.putLong(0x8000, IMAGE + 0x20_0000 | 0x121);
    }

    private void note(String text) {
        memory.putInt(0xa000, 11).putInt(0xa004, text.length()).putInt(0xa008, 0);
        text(0xa00c, "VMCOREINFO");
        text(0xa018, text);
    }

    private static String vmcoreInfo(long base) {
        return "OSRELEASE=6.9.7-test\nPAGESIZE=4096\nSYMBOL(_stext)=ffffffff9a000000\n"
                + "SYMBOL(init_top_pgt)=ffffffff9a201000\nNUMBER(phys_base)=" + base + "\nKERNELOFFSET=19000000\n";
    }

    private Guest guest(long cr3, String format) {
        return builder(cr3, format).build();
    }

    private GuestBuilder builder(long cr3, String format) {
        RegisterState registers = RegisterState.builder()
                .set(X86.CR0, 0x8000_0001L)
                .set(X86.CR3, cr3)
                .set(X86.CR4, 0x20)
                .set(X86.EFER, 0xd01)
                .build();
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(memory.array()))
                .provenance(Provenance.of("x.core", format))
                .vcpu(registers);
    }

    private static List<DebuggerAdvice> advice(Guest guest, String location, KernelFacts facts) {
        return DebuggerAdvice.of(guest, location, facts, Guests.debuggers(guest));
    }

    @Test
    void seesTheKernelThroughPageTables() {
        kernel();
        text(IMAGE + 0x123450, BANNER + "\n\0");
        KernelFacts facts = KernelFacts.glance(guest(KERNEL_ROOT, "elf"));
        assertEquals(BANNER, facts.banner().orElseThrow().value());
        assertEquals("6.9.7-test", facts.release().orElseThrow().value());
        assertEquals("Linux 6.9.7-test", facts.system().orElseThrow().value());
        assertEquals(OFFSET, facts.kaslrOffset().orElseThrow().value());
        assertEquals(PHYSICAL_BASE, facts.physicalBase().orElseThrow().value());
        assertEquals(
                Derived.Confidence.LIKELY, facts.physicalBase().orElseThrow().confidence());
        assertEquals(KERNEL_ROOT, facts.pageTableRoot().orElseThrow().value().value());
        assertEquals(Optional.empty(), facts.vmcoreInfo());
    }

    @Test
    void turnsFromTheUsersTableToTheKernels() {
        kernel();
        text(IMAGE + 0x123450, BANNER + "\n\0");
        KernelFacts facts = KernelFacts.glance(guest(USER_ROOT, "elf"));
        assertEquals(OFFSET, facts.kaslrOffset().orElseThrow().value());
        assertEquals(PHYSICAL_BASE, facts.physicalBase().orElseThrow().value());
        assertTrue(facts.physicalBase().orElseThrow().how().contains("switched"));
    }

    @Test
    void noteAndPageTablesConfirmEachOther() {
        kernel();
        text(IMAGE + 0x123450, BANNER + "\n\0");
        note(vmcoreInfo(PHYSICAL_BASE));
        KernelFacts facts = KernelFacts.search(guest(KERNEL_ROOT, "elf"), Progress.none());
        assertEquals(0xa018, facts.vmcoreInfo().orElseThrow().value().address());
        assertEquals(Derived.Confidence.CERTAIN, facts.kaslrOffset().orElseThrow().confidence());
        assertEquals(Derived.Confidence.CERTAIN, facts.physicalBase().orElseThrow().confidence());
        assertEquals(Derived.Confidence.CERTAIN, facts.release().orElseThrow().confidence());
        assertEquals(IMAGE + 0x20_1000L, facts.pageTableRoot().orElseThrow().value().value());
    }

    @Test
    void disagreementIsSaid() {
        kernel();
        note(vmcoreInfo(0x1000));
        KernelFacts facts = KernelFacts.search(guest(KERNEL_ROOT, "elf"), Progress.none());
        Derived<Long> base = facts.physicalBase().orElseThrow();
        assertEquals(0x1000, base.value());
        assertEquals(Derived.Confidence.DOUBTFUL, base.confidence());
        assertTrue(base.how().contains("-0x19c00000"), base.how());
    }

    @Test
    void withoutPageTablesOnlyTheNoteSpeaks() {
        VmcoreInfo given = new VmcoreInfo(0, vmcoreInfo(0x20_0000).getBytes(StandardCharsets.US_ASCII));
        KernelFacts facts = KernelFacts.with(guest(KERNEL_ROOT, "elf"), given);
        assertEquals(0x20_0000L, facts.physicalBase().orElseThrow().value());
        assertEquals(0x1a40_1000L, facts.pageTableRoot().orElseThrow().value().value());
        assertEquals("6.9.7-test", facts.release().orElseThrow().value());
    }

    @Test
    void aBannerInALogOrAFormatIsNotTheBanner() {
        text(0x10_0000, "<6>[    0.000000] " + BANNER + "\n<6>[    0.000000] Command line: quiet\n\0");
        text(0x20_0000, "%s version %s (builder@host) (gcc) %s\n\0");
        text(0x30_0000, "Linux version %s\n\0");
        KernelFacts facts = KernelFacts.search(guest(KERNEL_ROOT, "raw"), Progress.none());
        assertEquals(Optional.empty(), facts.banner());
        text(0x35_0000, BANNER + "\n\0");
        KernelFacts found = KernelFacts.search(guest(KERNEL_ROOT, "raw"), Progress.none());
        assertEquals(BANNER, found.banner().orElseThrow().value());
        assertEquals(Derived.Confidence.LIKELY, found.banner().orElseThrow().confidence());
        assertEquals(Optional.empty(), found.kaslrOffset());
    }

    @Test
    void windowsIsNoLinux() {
        kernel();
        memory.putLong(KERNEL_ROOT + 0x1ef * 8, 0xb003);
        memory.putLong(0xb000, 0xc003);
        memory.putLong(0xc000, 0xd003);
        memory.putLong(0xd000, 0xe003);
        memory.put(0xe030, "C:\\Windows".getBytes(StandardCharsets.UTF_16LE));
        memory.putInt(0xe260, 19045).putInt(0xe26c, 10).putInt(0xe270, 0);
        KernelFacts facts = KernelFacts.search(guest(KERNEL_ROOT, "vbox"), Progress.none());
        assertEquals("Windows 10.0 build 19045", facts.system().orElseThrow().value());
        assertEquals(Optional.empty(), facts.kaslrOffset());
        assertEquals(List.of(), advice(guest(KERNEL_ROOT, "vbox"), "x.core", facts));
    }

    @Test
    void takesVmcoreInfoApart() {
        VmcoreInfoFields fields = VmcoreInfoFields.parse(
                "OSRELEASE=5.10\nNUMBER(phys_base)=-4096\nSYMBOL(_stext)=ffffffff81000000\n"
                        + "KERNELOFFSET=zz\nno pair\n=x\n");
        assertEquals(Optional.of("5.10"), fields.release());
        assertEquals(OptionalLong.of(-4096), fields.number("phys_base"));
        assertEquals(OptionalLong.of(0xffff_ffff_8100_0000L), fields.symbol("_stext"));
        assertEquals(OptionalLong.empty(), fields.kernelOffset());
        assertEquals(OptionalLong.empty(), fields.symbol("nothing"));
        assertEquals(4, fields.values().size());
    }

    private Guest noted(String format) {
        return noted(format, true);
    }

    private Guest noted(String format, boolean kernelAddresses) {
        byte[] text = vmcoreInfo(PHYSICAL_BASE).getBytes(StandardCharsets.US_ASCII);
        return builder(KERNEL_ROOT, format)
                .facts(new VmcoreInfoFacts(text))
                .facts(new ElfFacts(62, 0, 64, false, kernelAddresses, List.of()))
                .build();
    }

    @Test
    void aNoteOfTheDumpNeedsNoSearch() {
        kernel();
        KernelFacts facts = KernelFacts.glance(noted("elf"));
        assertEquals("6.9.7-test", facts.release().orElseThrow().value());
        assertEquals("note of the dump", facts.vmcoreInfo().orElseThrow().how());
        assertEquals(PHYSICAL_BASE, facts.physicalBase().orElseThrow().value());
        assertEquals(Derived.Confidence.CERTAIN, facts.physicalBase().orElseThrow().confidence());
    }

    /** In each case memory has the text; a debugger needs it as a note of the file. */
    private List<String> advice(String format, String location, boolean inFile) {
        kernel();
        text(IMAGE + 0x123450, BANNER + "\n\0");
        note(vmcoreInfo(PHYSICAL_BASE));
        Guest guest = inFile ? noted(format) : guest(KERNEL_ROOT, format);
        return advice(guest, location, KernelFacts.search(guest, Progress.none())).stream()
                .map(advice -> advice.conversion().map(command -> command + " && ").orElse("") + advice.command())
                .toList();
    }

    @Test
    void advisesToGiveTheKernelAnAddressForDrgn() {
        kernel();
        Guest guest = noted("elf", false);
        DebuggerAdvice drgn = advice(guest, "a.elf", KernelFacts.glance(guest)).get(1);
        assertEquals(Optional.of("guestcore convert a.elf -o a.elf.elf --to elf"), drgn.conversion());
        assertEquals("drgn -s vmlinux -c a.elf.elf", drgn.command());
    }

    @Test
    void advisesByFormat() {
        assertEquals(
                List.of(
                        "crash vmlinux a.elf",
                        "drgn -s vmlinux -c a.elf",
                        "gdb -ex 'set confirm off' -ex 'add-symbol-file vmlinux -o 0x19000000 -s .data..percpu 0'"
                                + " -ex 'target remote | guestcore gdb a.elf --stdio'"),
                advice("elf", "a.elf", true));
        assertEquals(
                "crash --kaslr=0x19000000 -m phys_base=0xffffffffe6400000 vmlinux a.elf",
                advice("elf", "a.elf", false).getFirst());
        assertEquals(
                "crash --kaslr=0x19000000 -m phys_base=0xffffffffe6400000 vmlinux 'my dump'",
                advice("xen", "my dump", true).getFirst());
        assertEquals(
                "guestcore convert a.core -o a.core.elf --to elf && drgn -s vmlinux -c a.core.elf",
                advice("vbox", "a.core", true).get(1));
        assertEquals(
                "guestcore capture qemu:/run/vm.qmp -o guest.elf --to elf && drgn -s vmlinux -c guest.elf",
                advice("qemu", "qemu:/run/vm.qmp", true).get(1));
        assertEquals(
                "guestcore convert raw:a.img@0x1000 -o guest.elf --to elf && drgn -s vmlinux -c guest.elf",
                advice("raw", "raw:a.img@0x1000", true).get(1));
    }

    /** Volatility finds the kernel by its banner, and searches some files in pieces. */
    @Test
    void advisesWhichFormatToGiveToVolatility() {
        for (String format : List.of("avml", "xen", "kdump")) {
            assertTrue(
                    advice(format, "a b." + format, false)
                            .contains("guestcore convert 'a b." + format + "' -o 'a b." + format + ".lime' --to lime"
                                    + " && vol -f 'a b." + format + ".lime' banners.Banners"),
                    format);
        }
        for (String format : List.of("elf", "lime", "raw", "vbox")) {
            assertTrue(advice(format, "a", false).stream().noneMatch(line -> line.contains("vol -f")), format);
        }
    }

    @Test
    void advisesNoVolatilityWithFiveLevels() {
        MadeUpKernel known = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);
        Guest plain = known.guest().provenance(Provenance.of("a.core", "avml")).build();
        KernelFacts facts = KernelFacts.search(plain, Progress.none());
        assertEquals(List.of("crash", "drgn", "volatility3", "gdb"), tools(plain, facts));
        Guest five = known.guest()
                .vcpu(RegisterState.builder().set(X86.CR4, 0x1020).build())
                .provenance(Provenance.of("a.core", "avml"))
                .build();
        assertEquals(List.of("crash", "drgn", "gdb"), tools(five, facts));
        String reason = advice(five, "a.core", facts).getFirst().reason();
        assertTrue(reason.contains("Volatility 3 does not read page tables of five levels"), reason);
    }

    @Test
    void advisesWhatThisFileAndToolCanFollow() {
        assertEquals(
                List.of("crash vmlinux a1 'a 2'", "guestcore convert 'split:a1,a 2' -o guest.elf --to elf && "
                        + "drgn -s vmlinux -c guest.elf"),
                advice("kdump", "split:a1,a 2", true).subList(0, 2));
        kernel();
        Guest flattened = builder(KERNEL_ROOT, "kdump")
                .provenance(new Provenance(
                        "a.flat", "kdump", "version 6, flattened", Optional.empty(), Optional.empty(),
                        Optional.empty()))
                .facts(new VmcoreInfoFacts(vmcoreInfo(PHYSICAL_BASE).getBytes(StandardCharsets.US_ASCII)))
                .build();
        List<DebuggerAdvice> advice = advice(flattened, "a.flat", KernelFacts.glance(flattened));
        assertEquals("crash vmlinux a.flat", advice.getFirst().command());
        assertEquals(
                Optional.of("guestcore convert a.flat -o a.flat.elf --to elf"), advice.get(1).conversion());
    }

    @Test
    void promisesNoRegistersThatASourceLacks() {
        MadeUpKernel known = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);
        Guest image = known.guest().provenance(Provenance.of("a.lime", "lime")).build();
        DebuggerAdvice gdb = advice(image, "a.lime", KernelFacts.search(image, Progress.none())).getLast();
        assertEquals("gdb", gdb.tool());
        assertTrue(gdb.reason().contains("no registers"), gdb.reason());
        Guest arm = known.guest()
                .architecture(Architectures.ARM)
                .provenance(Provenance.of("a.elf", "elf"))
                .facts(new VmcoreInfoFacts(known.vmcoreInfo().getBytes(StandardCharsets.US_ASCII)))
                .build();
        assertEquals(List.of("crash"), tools(arm, KernelFacts.glance(arm)));
    }

    @Test
    void aParavirtualizedGuestStaysInItsDumpCore() {
        kernel();
        text(IMAGE + 0x123450, BANNER + "\n\0");
        note(vmcoreInfo(PHYSICAL_BASE));
        KernelFacts facts = KernelFacts.search(guest(KERNEL_ROOT, "xen"), Progress.none());
        assertEquals(List.of("crash", "gdb"), tools(paravirtualized("xen"), facts));
        assertEquals(
                Optional.of("guestcore convert a.core -o a.core.xen --to xen"),
                advice(paravirtualized("vbox"), "a.core", facts).getFirst().conversion());
    }

    private static List<String> tools(Guest guest, KernelFacts facts) {
        return advice(guest, "a.core", facts).stream().map(DebuggerAdvice::tool).toList();
    }

    private static Guest paravirtualized(String format) {
        Guest pages = Guest.builder().ram(0x5000, MemorySegment.ofArray(new byte[4096])).build();
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(new byte[4096]))
                .machineMemory(pages.memory())
                .facts(new XenFacts(true, 8, XenFacts.Version.ours(), Optional.empty(), Optional.empty()))
                .provenance(Provenance.of("a.core", format))
                .build();
    }
}

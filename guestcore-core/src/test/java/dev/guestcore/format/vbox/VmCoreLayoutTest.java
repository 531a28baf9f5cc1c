package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.RawContext;
import dev.guestcore.RegionContents;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One guest in every layout and back, and what gets lost on the way. */
class VmCoreLayoutTest {

    @TempDir
    private Path folder;

    /** What each structure lacks, from the documentation, independent of the table under test. */
    private static Set<X86> lacking(VmCoreLayout layout) {
        Set<X86> lacking = EnumSet.noneOf(X86.class);
        switch (layout) {
            case R32341, V4_0, V4_2 -> {
                lacking.addAll(Set.of(X86.XCR0, X86.XCR1, X86.TSC_AUX));
                for (int i = 0; i < 16; i++) {
                    lacking.add(X86.ymm(i));
                }
                for (X86 register : X86.values()) {
                    if (register.isBeyondAvx()) {
                        lacking.add(register);
                    }
                }
                if (layout != VmCoreLayout.V4_2) {
                    lacking.add(X86.APIC_BASE);
                }
            }
            case V5_0_RC2, V5_0_HOST32, V5_0 ->
                    lacking.addAll(Set.of(X86.RFLAGS, X86.SYSENTER_CS, X86.SYSENTER_EIP, X86.TSC_AUX));
            case V5_1 -> lacking.add(X86.TSC_AUX);
            case V7_0, V7_0_WINDOWS -> {}
        }
        return lacking;
    }

    @ParameterizedTest
    @EnumSource
    void carriesRegistersAndMemory(VmCoreLayout layout) {
        byte[] bytes = SmallCore.bytes(SmallCore.guest(), VmCoreWriter.layout(layout));
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertEquals(layout.label(), guest.facts(VirtualBoxFacts.class).orElseThrow().layout());
            for (Vcpu vcpu : guest.vcpus()) {
                RegisterState.Builder expected = SmallCore.registers(vcpu.index() * 100).toBuilder();
                lacking(layout).forEach(expected::forget);
                assertEquals(expected.build().toString(), vcpu.registers().toString());
            }
            byte[] ram = new byte[SmallCore.RAM_SIZE];
            guest.memory().read(0, MemorySegment.ofArray(ram));
            assertArrayEquals(SmallCore.pattern(SmallCore.RAM_SIZE, 1), ram);
            assertArrayEquals(bytes, SmallCore.bytes(guest, VmCoreWriter.likeSource()));
        }
    }

    @ParameterizedTest
    @EnumSource
    void keepsTheRules(VmCoreLayout layout) {
        Path file = SmallCore.file(folder, SmallCore.bytes(SmallCore.guest(), VmCoreWriter.layout(layout)));
        try (FileBytes bytes = FileBytes.open(file)) {
            for (Check check : new VmCoreFormat().verify(bytes, true, Progress.none())) {
                boolean minorTwice = check.id().equals("vbox-34") && layout.formatVersion() == 0x10000;
                assertTrue(check.result() == Check.Result.PASS || minorTwice, check.toString());
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void announcesTheSizeAndListsWhatIsLost(VmCoreLayout layout) throws Exception {
        Path file = folder.resolve("new");
        WriteReport report = VmCoreWriter.layout(layout).write(SmallCore.guest(), file, Progress.none());
        assertEquals(Files.size(file), report.bytes());
        assertEquals(SmallCore.RAM_SIZE + SmallCore.ROM_SIZE, report.memoryBytes());
        String lost = report.losses().stream().map(Loss::what).filter(what -> what.startsWith("register")).findFirst()
                .orElse("");
        for (X86 register : X86.values()) {
            boolean expected = lacking(layout).contains(register) && register.bits() <= 128;
            List<String> names = List.of(lost.replaceFirst("^registers? ", "").split(", "));
            assertEquals(expected, names.contains(register.label()),
                    lost);
        }
        assertEquals(layout.payloadSize() < 2048, lost.contains("upper halves of ymm0 to ymm15"));
    }

    @Test
    void marksNothingAsLostForAGuestOfItsOwnKind() {
        Guest guest = SmallCore.builder().facts(SmallCore.facts()).vcpu(SmallCore.registers(0)).build();
        assertEquals(List.of(), VmCoreWriter.newest().plan(guest).losses());
    }

    @Test
    void saysWhichVersionItNamesForAGuestFromElsewhere() {
        assertEquals(
                new Loss("origin memory", "the core descriptor must name a VirtualBox version; it says 7.2.22 r175245",
                        false),
                VmCoreWriter.newest().plan(SmallCore.guest()).losses().getFirst());
    }

    @Test
    void listsKindsNamesPagesAndUnknownRegisters() {
        RegisterState known = RegisterState.builder().set(X86.RAX, 1).set(X86.CR8, 2).build();
        Guest guest = Guest.builder()
                .facts(SmallCore.facts())
                .rom(0, MemorySegment.ofArray(new byte[4096]))
                .vcpu(known, List.of(new RawContext("other.context", new byte[8])))
                .build();
        List<String> losses =
                VmCoreWriter.layout(VmCoreLayout.V5_1).plan(guest).losses().stream().map(Loss::what).toList();
        assertEquals("names of 1 memory regions", losses.get(0));
        assertEquals("kind ROM of 1 memory regions", losses.get(1));
        assertEquals("register cr8", losses.get(2));
        assertTrue(losses.contains("that the source does not know registers cr0, cr2, cr3, cr4, xcr0, xcr1"));
        assertTrue(losses.contains("raw context other.context"));
        assertTrue(losses.size() <= 12, losses::toString);
        try (Guest back = SmallCore.open(folder, SmallCore.bytes(guest, VmCoreWriter.layout(VmCoreLayout.V5_1)))) {
            RegisterState registers = back.vcpus().getFirst().registers();
            assertEquals(1, registers.get(X86.RAX));
            assertEquals(0, registers.get(X86.LSTAR));
            assertFalse(registers.knows(X86.XMM0), "an unknown extended state stays unknown");
        }
    }

    @Test
    void reportsCutLimits() {
        RegisterState wide = SmallCore.registers(0).toBuilder().set(X86.GDTR_LIMIT, 0x12345).build();
        Guest guest = SmallCore.builder().facts(SmallCore.facts()).vcpu(wide).build();
        assertTrue(VmCoreWriter.layout(VmCoreLayout.V4_0).plan(guest).losses().stream()
                .anyMatch(loss -> loss.what().equals("high bits of register gdtr.limit")));
    }

    @Test
    void writesUnreadablePagesAsZerosAndSaysWhich() {
        RegionContents failing = new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                long readable = Math.clamp(0x1000 - offset, 0, target.byteSize());
                target.asSlice(0, readable).fill((byte) 7);
                return readable;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return offset < 0x1000
                        ? new Run(PageState.PRESENT, 0x1000 - offset)
                        : new Run(PageState.UNREADABLE, remaining);
            }
        };
        MemoryRegion region =
                new MemoryRegion(new AddressRange(0x8000, 0xafff), MemoryRegion.Kind.RAM, "");
        Guest guest = Guest.builder()
                .architecture(Architectures.X86)
                .facts(SmallCore.facts())
                .region(region, failing)
                .build();
        WriteReport report = VmCoreWriter.newest().write(guest, folder.resolve("new"), Progress.none());
        assertEquals(List.of(new AddressRange(0x9000, 0xafff)), report.unreadable());
        assertEquals(0x2000, report.unreadableBytes());
        assertEquals(
                List.of(new Loss("state unreadable of pages, the first at 0x9000",
                        "written as zeros, a VMCore does not mark them", false)),
                report.losses());
        try (Guest back = Guests.open(folder.resolve("new"))) {
            byte[] bytes = new byte[0x2000];
            back.memory().read(0x8800, MemorySegment.ofArray(bytes));
            assertEquals(7, bytes[0x7ff]);
            assertEquals(0, bytes[0x800]);
        }
    }

    @Test
    void letsChangedRegistersWinOverTheRawContext() {
        byte[] original = SmallCore.bytes();
        // A byte without a name: the reserved half word of cs.
        original[SmallCore.FIRST_CPU + 20 + 144 + 18] = 0x5a;
        byte[] rewritten;
        try (Guest guest = SmallCore.open(folder, original)) {
            Vcpu vcpu = guest.vcpus().getFirst();
            byte[] xmm = new byte[16];
            xmm[0] = 1;
            RegisterState changed = vcpu.registers().toBuilder().set(X86.RIP, 0x1234).set(X86.XMM3, xmm).build();
            Guest patched = SmallCore.builder()
                    .facts(guest.facts(VirtualBoxFacts.class).orElseThrow())
                    .vcpu(changed, vcpu.rawContexts())
                    .vcpu(guest.vcpus().get(1).registers(), guest.vcpus().get(1).rawContexts())
                    .build();
            rewritten = SmallCore.bytes(patched, VmCoreWriter.likeSource());
        }
        SmallCore.buffer(original).putLong(SmallCore.FIRST_CPU + 20 + 112, 0x1234);
        int xmm3 = SmallCore.FIRST_CPU + 20 + 592 + 160 + 48;
        Arrays.fill(original, xmm3, xmm3 + 16, (byte) 0);
        original[xmm3] = 1;
        assertArrayEquals(original, rewritten);
    }

    @Test
    void keepsNotesOfOthersAndTheMachine() {
        byte[] note = new byte[12 + 8 + 4];
        SmallCore.buffer(note).putInt(5).putInt(3).putInt(77).put("ABCD\0\0\0\0".getBytes(StandardCharsets.US_ASCII));
        VirtualBoxFacts facts = new VirtualBoxFacts(
                0x05020003, 99, "5.1", 3, List.of(new VirtualBoxFacts.ExtraNote(note)));
        Guest source = SmallCore.builder().facts(facts).vcpu(SmallCore.registers(0)).build();
        byte[] bytes = SmallCore.bytes(source, VmCoreWriter.likeSource());
        assertEquals(3, bytes[18]);
        try (Guest guest = SmallCore.open(folder, bytes)) {
            VirtualBoxFacts back = guest.facts(VirtualBoxFacts.class).orElseThrow();
            assertArrayEquals(note, back.extraNotes().getFirst().bytes());
            assertEquals(3, back.elfMachine());
            assertEquals("5.2.3 r99", back.versionText());
            assertArrayEquals(bytes, SmallCore.bytes(guest, VmCoreWriter.likeSource()));
        }
    }

    @Test
    void streamsTheSameBytesAsAFileGets() throws Exception {
        Path file = folder.resolve("new");
        VmCoreWriter.newest().withAnalystNotes().write(SmallCore.guest(), file, Progress.none());
        assertArrayEquals(
                Files.readAllBytes(file), SmallCore.bytes(SmallCore.guest(), VmCoreWriter.newest().withAnalystNotes()));
    }

    @Test
    void addsAnalystNotesOnlyOnRequestAndOnlyOnce() {
        byte[] plain = SmallCore.bytes();
        byte[] noted = SmallCore.bytes(SmallCore.guest(), VmCoreWriter.newest().withAnalystNotes());
        int prstatus = 12 + 8 + 336;
        assertEquals(plain.length + 2 * prstatus, noted.length);
        try (Guest guest = SmallCore.open(folder, noted)) {
            assertEquals(2, guest.facts(VirtualBoxFacts.class).orElseThrow().extraNotes().size());
            assertArrayEquals(noted, SmallCore.bytes(guest, VmCoreWriter.likeSource()));
            assertArrayEquals(noted, SmallCore.bytes(guest, VmCoreWriter.likeSource().withAnalystNotes()));
        }
    }

    @Test
    void handsOnTheVmcoreinfoOfTheGuest() {
        String text = "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82a15520\n";
        byte[] page = Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 4096);
        Guest source = Guest.builder().facts(SmallCore.facts()).ram(0, MemorySegment.ofArray(page)).build();
        try (Guest guest = SmallCore.open(folder, SmallCore.bytes(source, VmCoreWriter.newest().withAnalystNotes()))) {
            byte[] note = guest.facts(VirtualBoxFacts.class).orElseThrow().extraNotes().getFirst().bytes();
            assertEquals(11, note[0]);
            assertEquals(0, note[8]);
            assertEquals(
                    "VMCOREINFO\0\0" + text,
                    new String(note, 12, 12 + text.length(), StandardCharsets.US_ASCII));
        }
    }

    @Test
    void keepsWhatAVmCoreCannotCarry() {
        RegisterState registers = RegisterState.builder().set(X86.RAX, 1).set(X86.CR8, 2).build();
        Guest source = Guest.builder()
                .rom(0, MemorySegment.ofArray(SmallCore.pattern(4096, 5)))
                .device(0x2000, 0x1000, "clock")
                .vcpu(registers, List.of(new RawContext("other.context", new byte[] {1, 2, 3})))
                .provenance(new Provenance(
                        "x", "elsewhere", "", Optional.of("Hyper"), Optional.of("9"), Optional.empty()))
                .build();
        WriteReport report = VmCoreWriter.newest().withKeep().write(source, folder.resolve("core"), Progress.none());
        assertTrue(report.losses().size() > 3);
        assertTrue(report.losses().stream().allMatch(Loss::kept));
        try (Guest back = Guests.open(folder.resolve("core"))) {
            assertEquals(source.memory().regions(), back.memory().regions());
            assertEquals(registers, back.vcpus().getFirst().registers());
            assertTrue(back.vcpus().getFirst().rawContext("other.context").isPresent());
            assertEquals(Optional.of("Hyper"), back.provenance().hypervisor());
            byte[] rom = new byte[4096];
            back.memory().read(0, MemorySegment.ofArray(rom));
            assertArrayEquals(SmallCore.pattern(4096, 5), rom);
        }
    }

    @Test
    void readsOnWithoutADamagedRecord() throws Exception {
        byte[] bytes = SmallCore.bytes(SmallCore.guest(), VmCoreWriter.newest().withKeep());
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        bytes[text.indexOf("GCKEEP02")] = 'X';
        try (Guest guest = SmallCore.open(folder, bytes)) {
            assertEquals("vbox", guest.provenance().format());
            assertEquals(
                    SmallCore.registers(0).toString(), guest.vcpus().getFirst().registers().toString());
            assertTrue(guest.findings().getLast().message().contains("GCKEEP02"), guest.findings()::toString);
        }
    }

    @Test
    void takesOptionsByName() {
        VmCoreFormat format = new VmCoreFormat();
        Guest guest = SmallCore.guest();
        assertEquals("4.2", format.writer(Map.of("layout", "4.2")).plan(guest).layout());
        assertEquals("7.0/8776", format.writer(Map.of("layout", "7.0/8776")).plan(guest).layout());
        assertEquals("7.0", format.writer(Map.of("analyst-notes", "false")).plan(guest).layout());
        assertEquals(
                List.of("r32341", "4.0", "4.2", "5.0", "5.1", "7.0"),
                format.writeOptions().getFirst().values());
        assertEquals(
                "format vbox has no layout '9'; it has r32341, 4.0, 4.2, 5.0, 5.1, 7.0",
                refusal(() -> format.writer(Map.of("layout", "9"))));
        assertEquals(
                "format vbox has no option 'speed'; it has layout, large-phnum, analyst-notes, keep",
                refusal(() -> format.writer(Map.of("speed", "9"))));
        assertEquals(
                "option large-phnum of format vbox is a switch: expected true or false, found 'yes'",
                refusal(() -> format.writer(Map.of("large-phnum", "yes"))));
    }

    @Test
    void refusesWhatCannotBeWritten() {
        Guest arm = SmallCore.builder().architecture(Architectures.ARM).build();
        assertEquals(
                "a VMCore holds x86 guests only; this one is Arm; choose elf, kdump, raw or lime",
                refusal(() -> VmCoreWriter.newest().plan(arm)));
        MemoryRegion huge = new MemoryRegion(new AddressRange(0, Long.MAX_VALUE), MemoryRegion.Kind.RAM, "");
        Guest tooLarge = Guest.builder().region(huge, RegionContents.zeros()).build();
        assertEquals(
                "the memory of this guest is larger than a file can be (2^63 - 1 bytes); write only part of it",
                refusal(() -> VmCoreWriter.newest().plan(tooLarge)));
        Guest oddLayout = SmallCore.builder()
                .facts(new VirtualBoxFacts(0, 0, "8.0", 62, List.of()))
                .build();
        assertEquals(
                "the guest asks for the VMCore layout '8.0', which does not exist; choose one with the option layout",
                refusal(() -> VmCoreWriter.likeSource().plan(oddLayout)));
    }

    private static String refusal(Executable request) {
        return assertThrows(UnsupportedRequestException.class, request).getMessage();
    }
}

package dev.guestcore.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.VcpuDifference;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a source does not know must not turn into a definite value that makes another machine of the guest. */
class UnknownRegistersTest {

    private static final long TABLES = 0x1000;
    private static final long TEXT = 0x200000;
    private static final long KERNEL = 0xffffffff9b000000L;
    private static final long PRESENT = 0x63;
    private static final long LARGE = 0x80;
    private static final long NO_EXECUTE = 1L << 63;

    @TempDir
    private Path folder;

    /** A page table that maps 2 MiB at {@link #KERNEL}. */
    private static MemorySegment memory(long leafFlags) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[0x400000]);
        put(bytes, TABLES + 8 * 511, TABLES + 0x1000 | PRESENT);
        put(bytes, TABLES + 0x1000 + 8 * 510, TABLES + 0x2000 | PRESENT);
        put(bytes, TABLES + 0x2000 + 8 * (KERNEL >>> 21 & 511), TEXT | PRESENT | LARGE | leafFlags);
        return bytes;
    }

    private static void put(MemorySegment bytes, long offset, long value) {
        bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, value);
    }

    private static Guest guest(RegisterState registers, long leafFlags) {
        return Guest.builder().ram(0, memory(leafFlags)).vcpu(registers).build();
    }

    /** As QEMU's note and Xen's context show it: no EFER. */
    private static RegisterState withoutEfer() {
        return Patterns.longMode(1).toBuilder()
                .set(X86.CR3, TABLES)
                .set(X86.RIP, KERNEL + 0x40)
                .build();
    }

    private Guest convert(Guest guest, String format) {
        Path target = folder.resolve(format + System.nanoTime());
        Guests.format(format).writer(Map.of()).write(guest, target, Progress.none());
        return Guests.open(target);
    }

    private static String losses(Guest guest, String format, Map<String, String> options) {
        return Guests.format(format).writer(options).plan(guest).losses().stream()
                .map(loss -> loss.what() + ": " + loss.why())
                .collect(Collectors.joining("\n"));
    }

    private static List<String> damage(Guest guest) {
        return guest.findings().stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .map(Finding::message)
                .toList();
    }

    @Test
    void anUnknownEferStaysLongModeInAVmCore() {
        try (Guest guest = guest(withoutEfer(), 0);
                Guest core = convert(guest, "vbox");
                Guest back = convert(core, "elf")) {
            assertEquals(0x500, core.vcpus().getFirst().registers().get(X86.EFER));
            assertEquals(X86PagingMode.FOUR_LEVEL, AddressSpace.of(core, core.vcpus().getFirst()).paging().mode());
            assertEquals(62, back.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(KERNEL + 0x40, back.vcpus().getFirst().registers().get(X86.RIP));
            assertTrue(losses(guest, "vbox", Map.of()).contains("register efer: a VMCore cannot say unknown: 0x500"));
            assertEquals(List.of(), damage(core));
        }
    }

    /** A Xen guest was dumped, and is wanted in the form of VirtualBox and then of QEMU. */
    @Test
    void theModeSurvivesTheWayThroughAXenDump() {
        try (Guest guest = guest(withoutEfer(), 0);
                Guest xen = convert(guest, "xen");
                Guest core = convert(xen, "vbox");
                Guest back = convert(core, "elf")) {
            assertEquals(0x500, core.vcpus().getFirst().registers().get(X86.EFER));
            assertEquals(62, back.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(KERNEL + 0x40, back.vcpus().getFirst().registers().get(X86.RIP));
            assertEquals(X86PagingMode.FOUR_LEVEL, AddressSpace.of(back, back.vcpus().getFirst()).paging().mode());
        }
    }

    /** With EFER.NXE clear the page would have a reserved bit set, and could not be read. */
    @Test
    void pageTablesThatForbidExecutionImplyThatTheProcessorKnowsHow() {
        try (Guest guest = guest(withoutEfer(), NO_EXECUTE);
                Guest core = convert(guest, "vbox")) {
            assertEquals(0xd00, core.vcpus().getFirst().registers().get(X86.EFER));
            assertTrue(AddressSpace.of(core, core.vcpus().getFirst())
                    .translate(KERNEL)
                    .physical()
                    .isPresent());
        }
    }

    @ParameterizedTest
    @CsvSource({"xen,cr0 cr4", "vbox,cr0 cr4 cs.attributes efer", "elf,cs.attributes cr0 cr4",
        "kdump,cs.attributes cr0 cr4"})
    void controlRegistersKeepTheMode(String format, String derived) {
        RegisterState registers = RegisterState.builder()
                .set(X86.RIP, KERNEL)
                .set(X86.CS, 0x10)
                .set(X86.CR3, TABLES)
                .build();
        try (Guest guest = guest(registers, 0);
                Guest copy = convert(guest, format)) {
            AddressSpace space = AddressSpace.of(copy, copy.vcpus().getFirst());
            assertEquals(X86PagingMode.FOUR_LEVEL, space.paging().mode(), space.paging().how());
            String losses = losses(guest, format, Map.of());
            for (String register : derived.split(" ")) {
                assertTrue(losses.contains("does not know register " + register + ":"), losses);
            }
            assertTrue(losses.contains("written as zero"), losses);
            assertEquals(List.of(), damage(copy));
        }
    }

    /** A kernel's own dump has NT_PRSTATUS only; zeros in QEMU's note would say that paging is off. */
    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump"})
    void noControlRegistersAreMadeUp(String format) {
        RegisterState.Builder registers = RegisterState.builder().set(X86.RIP, KERNEL).set(X86.RSP, KERNEL);
        try (Guest guest = guest(registers.build(), 0);
                Guest copy = convert(guest, format)) {
            RegisterState found = copy.vcpus().getFirst().registers();
            assertEquals(KERNEL, found.get(X86.RIP));
            assertFalse(found.knows(X86.CR0));
            assertFalse(found.knows(X86.CR3));
            assertFalse(found.knows(X86.CS_ATTRIBUTES));
            assertTrue(losses(guest, format, Map.of()).contains("does not know registers rax"));
        }
    }

    @Test
    void anUnknownKernelGsBaseStaysUnknownInQemusNote() {
        RegisterState registers =
                withoutEfer().toBuilder().forget(X86.KERNEL_GS_BASE).build();
        try (Guest guest = guest(registers, 0);
                Guest copy = convert(guest, "elf")) {
            assertEquals(registers, copy.vcpus().getFirst().registers());
        }
    }

    @Test
    void aWideInstructionPointerOutweighsAnEferWithoutLongMode() {
        RegisterState registers = withoutEfer().toBuilder().set(X86.EFER, 0).build();
        try (Guest guest = guest(registers, 0);
                Guest copy = convert(guest, "elf")) {
            assertEquals(1, damage(guest).size());
            assertTrue(damage(guest).getFirst().contains("vCPU 0: registers contradict each other: efer 0x0"));
            assertEquals(X86PagingMode.FOUR_LEVEL, AddressSpace.of(guest, guest.vcpus().getFirst()).paging().mode());
            assertEquals(62, copy.facts(ElfFacts.class).orElseThrow().machine());
            assertEquals(KERNEL + 0x40, copy.vcpus().getFirst().registers().get(X86.RIP));
        }
    }

    @Test
    void registersThatA386CannotHoldAreALoss() {
        try (Guest guest = guest(withoutEfer(), 0)) {
            String losses = losses(guest, "elf", Map.of("machine", "386"));
            assertTrue(losses.contains("upper halves of registers rbx"), losses);
            assertTrue(losses.contains("rip"), losses);
        }
    }

    @Test
    void aComparisonSeesTheMode() {
        RegisterState known =
                withoutEfer().toBuilder().set(X86.RIP, 0x1000).set(X86.CR3, 0x1000).build();
        try (Guest source = guest(known, 0);
                Guest zero = guest(known.toBuilder().set(X86.EFER, 0).build(), 0);
                Guest kept = guest(known.toBuilder().set(X86.EFER, 0x500).build(), 0)) {
            VcpuDifference difference = GuestComparison.compare(source, zero, Progress.none()).vcpus().getFirst();
            assertTrue(difference.mode().orElseThrow().inA().startsWith("long mode (efer is unknown"));
            assertEquals("no long mode (efer.LMA is clear)", difference.mode().orElseThrow().inB());
            assertTrue(GuestComparison.compare(source, kept, Progress.none())
                    .vcpus()
                    .getFirst()
                    .mode()
                    .isEmpty());
        }
    }

    /** After an unplugging there is no vCPU 1. */
    @ParameterizedTest
    @CsvSource({"elf,true", "kdump,true", "vbox,false", "xen,false"})
    void vcpusKeepTheirNumbersOrLoseThemWithAWord(String format, boolean kept) {
        try (Guest guest = Guest.builder()
                .ram(0, memory(0))
                .vcpu(0, withoutEfer(), List.of())
                .vcpu(2, withoutEfer(), List.of())
                .vcpu(3, withoutEfer(), List.of())
                .build();
                Guest copy = convert(guest, format)) {
            List<Integer> numbers = copy.vcpus().stream().map(Vcpu::index).toList();
            assertEquals(kept ? List.of(0, 2, 3) : List.of(0, 1, 2), numbers);
            assertEquals(
                    !kept, losses(guest, format, Map.of()).contains("numbers of vCPUs, which are 0, 2, 3"));
        }
    }

    @Test
    void ourOwnRecordKeepsTheNumbers() {
        try (Guest guest = Guest.builder()
                .ram(0, memory(0))
                .vcpu(1, withoutEfer(), List.of())
                .vcpu(4, withoutEfer(), List.of())
                .build()) {
            Path target = folder.resolve("kept");
            Guests.format("vbox").writer(Map.of("keep", "true")).write(guest, target, Progress.none());
            try (Guest copy = Guests.open(target)) {
                assertEquals(List.of(1, 4), copy.vcpus().stream().map(Vcpu::index).toList());
            }
        }
    }

    @Test
    void aVmCoreHasRoomForAvx512AndProtectionKeys() {
        RegisterState registers = withoutEfer().toBuilder()
                .set(X86.PKRU, 0x55555554L)
                .set(X86.K1, 0x1234)
                .set(X86.ZMM31, Patterns.bytes(64, 3))
                .build();
        try (Guest guest = guest(registers, 0);
                Guest copy = convert(guest, "vbox")) {
            RegisterState found = copy.vcpus().getFirst().registers();
            for (X86 register : List.of(X86.PKRU, X86.K1, X86.ZMM31)) {
                assertEquals(registers.hex(register), found.hex(register));
            }
            assertTrue(losses(guest, "xen", Map.of()).contains("registers k1 zmm31: vcpu_guest_context has no place"));
            assertTrue(losses(guest, "elf", Map.of()).contains("registers k1, zmm31, pkru of vCPU 0"));
        }
    }
}

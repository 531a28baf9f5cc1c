package dev.guestcore.arch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Progress;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.s390x.S390x;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Registers in NT_PRSTATUS, from dump to dump. */
class StatusNotesTest {

    private static final Pattern MONITOR_VALUE = Pattern.compile("(?:x\\d+/)?([A-Za-z]+\\d*)[= ]+([0-9a-f]{8,16})\\b");

    @TempDir
    private Path folder;

    static Stream<Architecture> withNotes() {
        return Architectures.all().stream().filter(family -> family.machines().stream()
                .anyMatch(machine -> family.status(machine).isPresent()));
    }

    static List<String> samples() {
        return Samples.ARCHITECTURES;
    }

    private static Register register(Architecture family, String label) {
        return family.register(label).orElseThrow();
    }

    private static RegisterState random(List<Register> registers, long seed) {
        Random random = new Random(seed);
        RegisterState.Builder state = RegisterState.builder();
        registers.forEach(register -> state.set(register, random.nextLong()));
        return state.build();
    }

    @ParameterizedTest
    @MethodSource("withNotes")
    void whatIsWrittenIsRead(Architecture family) {
        for (ElfMachine machine : family.machines()) {
            StatusLayout layout = family.status(machine).orElseThrow();
            assertTrue(
                    machine.statusSizes().contains(layout.size()),
                    () -> "ElfMachine " + machine.label() + " is not knownBy a note of " + layout.size() + " bytes");
            assertTrue(layout.registersEnd() <= layout.size(), machine::label);
            for (ByteOrder order : List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN)) {
                RegisterState state = layout.read(layout.write(3, random(layout.registers(), 1), order), order);
                byte[] again = layout.write(3, state, order);
                assertEquals(state, layout.read(again, order));
                assertEquals(3, layout.process(again, order));
                assertEquals(List.copyOf(state.known()).size(), layout.registers().size());
                assertTrue(layout.agrees(again, order, state));
                again[layout.registersOffset()]++;
                assertEquals(false, layout.agrees(again, order, state));
            }
        }
    }

    /** Linux, arch/&#42;/include/uapi/asm/ptrace.h. */
    @Test
    void registersLieWhereTheKernelHasThem() {
        byte[] arm64 = Architectures.ARM64.statusOfSize(392).orElseThrow()
                .write(1, RegisterState.builder().set(Arm64.PC, 0x1234).set(Arm64.SP, 0x5678).build(),
                        ByteOrder.LITTLE_ENDIAN);
        assertEquals(0x1234, ByteBuffer.wrap(arm64).order(ByteOrder.LITTLE_ENDIAN).getLong(112 + 8 * 32));
        assertEquals(0x5678, ByteBuffer.wrap(arm64).order(ByteOrder.LITTLE_ENDIAN).getLong(112 + 8 * 31));
        byte[] riscv = Architectures.RISCV64.statusOfSize(376).orElseThrow()
                .write(
                        1,
                        RegisterState.builder().set(register(Architectures.RISCV64, "t6"), 7).build(),
                        ByteOrder.LITTLE_ENDIAN);
        assertEquals(7, ByteBuffer.wrap(riscv).order(ByteOrder.LITTLE_ENDIAN).getLong(112 + 8 * 31));
        byte[] s390x = Architectures.S390X.statusOfSize(336).orElseThrow()
                .write(
                        1,
                        RegisterState.builder().set(register(Architectures.S390X, "acr15"), 9).set(S390x.r(0), 8)
                                .build(),
                        ByteOrder.BIG_ENDIAN);
        assertEquals(8, ByteBuffer.wrap(s390x).getLong(112 + 16));
        assertEquals(9, ByteBuffer.wrap(s390x).getInt(112 + 16 + 128 + 60));
    }

    @Test
    void modesAreTold() {
        RegisterState el1 = RegisterState.builder().set(Arm64.PC, 0x40).set(Arm64.PSTATE, 0x400000c5).build();
        assertEquals("64-bit EL1h, pc 0x40", Architectures.ARM64.describe(el1));
        assertEquals("64-bit EL0", Architectures.ARM64.mode(el1.toBuilder().set(Arm64.PSTATE, 0).build()));
        assertEquals("64-bit EL2t", Architectures.ARM64.mode(el1.toBuilder().set(Arm64.PSTATE, 8).build()));
        assertEquals("32-bit svc", Architectures.ARM64.mode(el1.toBuilder().set(Arm64.PSTATE, 0x13).build()));
        assertEquals("mode unknown", Architectures.ARM64.mode(RegisterState.unknown()));
        RegisterState idle =
                RegisterState.builder().set(S390x.PSWM, 0x0404c00180000000L).set(S390x.PSWA, 0x400).build();
        assertEquals("64-bit supervisor, pswa 0x400", Architectures.S390X.describe(idle));
        assertEquals("31-bit problem state",
                Architectures.S390X.mode(idle.toBuilder().set(S390x.PSWM, 0x0405c00080000000L).build()));
        RegisterState kernel = RegisterState.builder().set(register(Architectures.RISCV64, "priv"), 1).build();
        assertEquals("64-bit supervisor", Architectures.RISCV64.mode(kernel));
        assertEquals("mode unknown", Architectures.RISCV64.mode(RegisterState.unknown()));
        assertEquals("registers unknown", Architectures.RISCV64.describe(RegisterState.unknown()));
    }

    /** Of a guest that comes from no ELF core. */
    @ParameterizedTest
    @MethodSource("withNotes")
    void aGuestOfRegistersBecomesACore(Architecture family) {
        ByteOrder order = family.byteOrder().orElse(ByteOrder.LITTLE_ENDIAN);
        StatusLayout layout = family.status(family.machines().getFirst()).orElseThrow();
        RegisterState state = layout.read(layout.write(0, random(layout.registers(), 2), order), order);
        Register forgotten = layout.registers().getLast();
        GuestBuilder builder = Guest.builder()
                .ram(0x1000, MemorySegment.ofArray(new byte[] {1}))
                .byteOrder(order)
                .vcpu(state)
                .vcpu(state.toBuilder().forget(forgotten).build());
        for (String format : List.of("elf", "kdump")) {
            Path core = folder.resolve(family.name() + "." + format);
            try (Guest guest = builder.build()) {
                assertSame(family, guest.architecture());
                List<Loss> losses =
                        Guests.format(format).writer(Map.of()).write(guest, core, Progress.none()).losses();
                assertTrue(losses.stream()
                        .anyMatch(loss -> loss.what().contains("does not know register " + forgotten.label())),
                        losses::toString);
            }
            try (Guest guest = Guests.open(core)) {
                assertSame(family, guest.architecture());
                assertEquals(order, guest.memory().byteOrder());
                assertEquals(state, guest.vcpus().getFirst().registers());
                assertEquals(state.toBuilder().set(forgotten, 0).build(), guest.vcpus().get(1).registers());
            }
        }
    }

    @Tag("slow")
    @Tag("foreign")
    @ParameterizedTest
    @MethodSource("samples")
    void dumpsOfQemuHaveTheRegistersThatItsMonitorShowed(String sample) throws IOException {
        List<RegisterState> truth = monitor(sample);
        try (Guest guest = Guests.open(Samples.core(sample))) {
            assertEquals(sample.substring(5), guest.architecture().name());
            assertEquals(truth.size(), guest.vcpus().size());
            for (int i = 0; i < truth.size(); i++) {
                RegisterState found = guest.vcpus().get(i).registers();
                StatusLayout layout = guest.architecture().machines().stream()
                        .flatMap(machine -> guest.architecture().status(machine).stream())
                        .findFirst()
                        .orElseThrow();
                assertTrue(found.known().containsAll(layout.registers()));
                for (Register register : truth.get(i).known()) {
                    // The monitor shows more than the notes hold.
                    assertTrue(found.knows(register) || !layout.registers().contains(register), register::label);
                    if (found.knows(register)) {
                        assertEquals(truth.get(i).hex(register), found.hex(register), register::label);
                    }
                }
            }
            for (String format : List.of("elf", "kdump")) {
                Path written = folder.resolve(format);
                Guests.format(format).writer(Map.of()).write(guest, written, Progress.none());
                assertSameNotes(guest, written);
            }
        }
    }

    private static void assertSameNotes(Guest guest, Path copy) {
        try (Guest written = Guests.open(copy)) {
            assertEquals(guest.vcpus(), written.vcpus());
            assertSame(guest.architecture(), written.architecture());
            ElfFacts before = guest.facts(ElfFacts.class).orElseThrow();
            ElfFacts after = written.facts(ElfFacts.class).orElseThrow();
            assertEquals(before.machine(), after.machine());
            assertEquals(before.order(), after.order());
            assertEquals(before.addressBits(), after.addressBits());
            assertEquals(before.notes().toString(), after.notes().toString());
            for (int i = 0; i < before.notes().size(); i++) {
                assertArrayEquals(before.notes().get(i).descriptor(), after.notes().get(i).descriptor());
            }
        }
    }

    /** Every register that the monitor shows under a name of ours; s390x splits the program-status word. */
    private static List<RegisterState> monitor(String sample) throws IOException {
        Architecture family = Architectures.named(sample.substring(5)).orElseThrow();
        List<RegisterState> states = new ArrayList<>();
        for (String vcpu : Files.readString(Samples.registers(sample)).split("CPU#\\d+")) {
            RegisterState.Builder state = RegisterState.builder();
            String text = vcpu.replace("PSW=mask", "pswm").replace(" addr ", " pswa ");
            Matcher value = MONITOR_VALUE.matcher(text);
            while (value.find()) {
                String label = value.group(1).toLowerCase(Locale.ROOT).replaceFirst("^([a-z]+)0(\\d)$", "$1$2");
                family.register(label)
                        .ifPresent(register -> state.set(register, Long.parseUnsignedLong(value.group(2), 16)));
            }
            if (!state.build().known().isEmpty()) {
                assertTrue(state.build().known().size() > 15, () -> state.build().toString());
                states.add(state.build());
            }
        }
        assertEquals(2, states.size());
        return states;
    }
}

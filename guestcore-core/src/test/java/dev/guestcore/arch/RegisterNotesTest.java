package dev.guestcore.arch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Progress;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.s390x.S390x;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Registers in other notes than NT_PRSTATUS. */
class RegisterNotesTest {

    private static final int SVE_BYTES = 32;

    @TempDir
    private Path folder;

    static Stream<Architecture> withNotes() {
        return Architectures.all().stream().filter(family -> !family.notes().isEmpty());
    }

    private static byte[] bytes(Random random, int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return bytes;
    }

    /** All registers that notes hold, which agree where one is a part of another. */
    private static RegisterState random(Architecture family, long seed) {
        Random random = new Random(seed);
        RegisterState.Builder state = RegisterState.builder();
        for (RegisterNote note : family.notes()) {
            for (Register register : note.places()) {
                int size = register.isScalable() ? SVE_BYTES : register.bits() / Byte.SIZE;
                boolean predicate = register == Arm64.FFR || register.label().matches("p\\d+");
                state.set(register, bytes(random, predicate ? SVE_BYTES / Byte.SIZE : size));
            }
        }
        if (family == Architectures.ARM64) {
            RegisterState all = state.set(Arm64.VG, SVE_BYTES / Long.BYTES).set(Arm64.ZA, new byte[1024]).build();
            for (int i = 0; i < 32; i++) {
                state.set(Arm64.v(i), Arrays.copyOf(all.bytes(Arm64.z(i)), 16));
            }
        } else if (family == Architectures.S390X) {
            RegisterState all = state.build();
            for (int i = 0; i < 16; i++) {
                state.set(S390x.f(i), Arrays.copyOfRange(all.bytes(S390x.v(i)), 8, 16));
            }
        } else {
            state.set(family.register("vlenb").orElseThrow(), SVE_BYTES);
        }
        return state.build();
    }

    @ParameterizedTest
    @MethodSource("withNotes")
    void whatIsWrittenIsRead(Architecture family) {
        for (ByteOrder order : List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN)) {
            RegisterState state = random(family, 5);
            RegisterState.Builder read = RegisterState.builder();
            for (RegisterNote note : family.notes()) {
                note.write(state, order).ifPresent(bytes -> read.setAll(note.read(bytes, order, read.build())));
            }
            RegisterState found = read.build();
            found.known().forEach(register -> assertEquals(state.hex(register), found.hex(register), register::label));
            assertTrue(found.known().size() > 30, found::toString);
        }
    }

    /** What is cut short or claims more than is there tells nothing, and does no harm. */
    @ParameterizedTest
    @MethodSource("withNotes")
    void hostileNotesTellNothingThatIsNotThere(Architecture family) {
        Random random = new Random(6);
        for (RegisterNote note : family.notes()) {
            for (int size = 0; size < 700; size++) {
                RegisterState found = note.read(bytes(random, size), ByteOrder.LITTLE_ENDIAN, RegisterState.unknown());
                assertTrue(found.known().stream().allMatch(register -> note.places().contains(register)
                        || register.label().startsWith("v")), found::toString);
            }
            byte[] empty = new byte[0];
            assertEquals(RegisterState.unknown(), note.read(empty, ByteOrder.BIG_ENDIAN, RegisterState.unknown()));
        }
    }

    /** Linux, arch/arm64/include/uapi/asm/ptrace.h and Documentation/arch/arm64/sve.rst. */
    @Test
    void registersLieWhereTheKernelHasThem() {
        RegisterState state = random(Architectures.ARM64, 7);
        RegisterNote floating = Architectures.ARM64.notes().getFirst();
        ByteBuffer simd = ByteBuffer.wrap(floating.write(state, ByteOrder.LITTLE_ENDIAN).orElseThrow())
                .order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(528, simd.capacity());
        assertEquals((int) state.get(Arm64.FPSR), simd.getInt(512));
        assertEquals((int) state.get(Arm64.FPCR), simd.getInt(516));
        RegisterNote scalable = Architectures.ARM64.notes().get(1);
        ByteBuffer sve = ByteBuffer.wrap(scalable.write(state, ByteOrder.LITTLE_ENDIAN).orElseThrow())
                .order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(sve.capacity(), sve.getInt(0));
        assertEquals(SVE_BYTES, sve.getShort(8));
        assertEquals(1, sve.getShort(12));
        int predicates = 16 + 32 * SVE_BYTES;
        assertEquals(state.bytes(Arm64.p(0))[0], sve.get(predicates));
        assertEquals(state.bytes(Arm64.FFR)[0], sve.get(predicates + 16 * SVE_BYTES / 8));
        int status = (predicates + 17 * SVE_BYTES / 8 + 15) / 16 * 16;
        assertEquals((int) state.get(Arm64.FPSR), sve.getInt(status));
        assertEquals(status + 8, sve.capacity());
    }

    /** A guest that comes from a stream: all that notes have a place for is in them, and what has none is told. */
    @ParameterizedTest
    @MethodSource("withNotes")
    void aGuestOfRegistersBecomesACore(Architecture family) {
        ByteOrder order = family.byteOrder().orElse(ByteOrder.LITTLE_ENDIAN);
        RegisterState state =
                random(family, 8).toBuilder().set(family.instructionPointer().orElseThrow(), 0x40).build();
        GuestBuilder builder = Guest.builder()
                .ram(0x1000, MemorySegment.ofArray(new byte[] {1}))
                .byteOrder(order)
                .vcpu(state)
                .vcpu(RegisterState.builder().set(family.instructionPointer().orElseThrow(), 0x50).build());
        for (String format : List.of("elf", "kdump")) {
            Path core = folder.resolve(family.name() + "." + format);
            List<Loss> losses;
            try (Guest guest = builder.build()) {
                losses = Guests.format(format).writer(Map.of()).write(guest, core, Progress.none()).losses();
            }
            try (Guest guest = Guests.open(core)) {
                RegisterState found = guest.vcpus().getFirst().registers();
                for (Register register : state.known()) {
                    boolean told = losses.stream().anyMatch(loss -> loss.what().contains(register.label()));
                    assertTrue(told || found.knows(register), register::label);
                    if (found.knows(register)) {
                        assertEquals(state.hex(register), found.hex(register), register::label);
                    }
                }
                List<ElfFacts.Note> notes = guest.facts(ElfFacts.class).orElseThrow().notes();
                assertTrue(notes.stream().allMatch(note -> note.vcpu() == 0), "nothing is made up of the other vCPU");
                assertSameAgain(guest, format);
            }
        }
    }

    private void assertSameAgain(Guest guest, String format) {
        Path again = folder.resolve("again." + format);
        Guests.format(format).writer(Map.of()).write(guest, again, Progress.none());
        try (Guest copy = Guests.open(again)) {
            assertEquals(guest.vcpus(), copy.vcpus());
        }
    }
}

package dev.guestcore.arch.x86;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BeyondAvxAreaTest {

    private static final long ALL = 0x2e7;

    /** By the sizes that CPUID leaf 0xd gives on either processor. */
    @ParameterizedTest
    @CsvSource({"2696, 1088, 1152, 1664, 2688", "2440, 832, 896, 1408, 2432"})
    void readsTheComponentsWhereTheProcessorPutsThem(int size, int masks, int high, int upper, int keys) {
        byte[] bytes = Patterns.bytes(size, 5);
        MemorySegment area = MemorySegment.ofArray(bytes);
        area.set(ValueLayout.JAVA_LONG_UNALIGNED, 512, ALL);
        RegisterState.Builder builder = RegisterState.builder();
        FxsaveArea.read(area, builder);
        RegisterState registers = builder.build();
        assertArrayEquals(Arrays.copyOfRange(bytes, masks + 8 * 7, masks + 8 * 8), registers.bytes(X86.K7));
        byte[] zmm15 = registers.bytes(X86.zmm(15));
        assertArrayEquals(registers.bytes(X86.YMM15), Arrays.copyOf(zmm15, 32));
        assertArrayEquals(
                Arrays.copyOfRange(bytes, high + 32 * 15, high + 32 * 16), Arrays.copyOfRange(zmm15, 32, 64));
        assertArrayEquals(Arrays.copyOfRange(bytes, upper + 64, upper + 128), registers.bytes(X86.zmm(17)));
        assertArrayEquals(Arrays.copyOfRange(bytes, keys, keys + 4), registers.bytes(X86.PKRU));
    }

    /** A component whose bit is clear is in its initial state, which nobody stored. */
    @Test
    void readsNothingThatIsNotThere() {
        MemorySegment area = MemorySegment.ofArray(Patterns.bytes(2696, 5));
        area.set(ValueLayout.JAVA_LONG_UNALIGNED, 512, 0x7);
        RegisterState.Builder builder = RegisterState.builder();
        FxsaveArea.read(area, builder);
        assertFalse(builder.build().known().stream().anyMatch(register -> ((X86) register).isBeyondAvx()));
    }

    @Test
    void whatIsWrittenReadsBack() {
        RegisterState.Builder known = RegisterState.builder().set(X86.K3, 0x33).set(X86.PKRU, 0x5555);
        for (int i : new int[] {0, 15, 16, 31}) {
            byte[] zmm = Patterns.bytes(64, i);
            known.set(X86.zmm(i), zmm);
            if (i < 16) {
                known.set(X86.ymm(i), Arrays.copyOf(zmm, 32)).set(X86.xmm(i), Arrays.copyOf(zmm, 16));
            }
        }
        RegisterState registers = known.build();
        MemorySegment area = MemorySegment.ofArray(new byte[FxsaveArea.SIZE_WITH_ALL]);
        FxsaveArea.write(area, registers);
        RegisterState.Builder read = RegisterState.builder();
        FxsaveArea.read(area, read);
        RegisterState found = read.build();
        for (Register register : registers.known()) {
            assertEquals(registers.hex(register), found.hex(register), register.label());
        }
    }
}

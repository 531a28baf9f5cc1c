package dev.guestcore.arch.x86;

import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * The 512-byte FXSAVE area and the AVX part of the standard XSAVE format that follows it (Intel SDM volume 1, sections
 * 10.5.1 and 13.4). Little-endian; offsets in bytes.
 *
 * <pre>
 *   0 FCW u16    2 FSW u16    4 FTW u8 (abridged)   6 FOP u16
 *   8 FIP u64   16 FDP u64   24 MXCSR u32          28 MXCSR_MASK u32
 *  32 ST0..ST7, 10 bytes in 16 each               160 XMM0..XMM15, 16 bytes each
 * 512 XSTATE_BV u64                               576 upper halves of YMM0..YMM15, 16 bytes each
 * </pre>
 */
public final class FxsaveArea {

    /** Size of the FXSAVE area. */
    public static final int SIZE = 512;

    /** Size of an XSAVE area with x87, SSE and AVX registers. */
    public static final int SIZE_WITH_AVX = 832;

    /** Size of an XSAVE area with AVX-512 registers and protection keys too, as Intel's processors lay it out. */
    public static final int SIZE_WITH_ALL = BeyondAvxArea.SIZE;

    private static final int XSTATE_BV = 512;
    private static final int YMM_HIGH = 576;
    private static final int YMM_HIGH_END = YMM_HIGH + 16 * 16;
    private static final long XSTATE_AVX = 1L << 2;
    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private FxsaveArea() {}

    /**
     * Reads x87 and SSE registers, and the AVX and AVX-512 registers and PKRU where {@code area} is an XSAVE area in standard format
     * that holds them.
     *
     * @param area at least {@link #SIZE} bytes
     * @param registers receives the registers
     */
    public static void read(MemorySegment area, RegisterState.Builder registers) {
        registers.set(X86.FCW, area.get(U16, 0));
        registers.set(X86.FSW, area.get(U16, 2));
        registers.set(X86.FTW, area.get(ValueLayout.JAVA_BYTE, 4));
        registers.set(X86.FOP, area.get(U16, 6));
        registers.set(X86.FIP, area.get(U64, 8));
        registers.set(X86.FDP, area.get(U64, 16));
        registers.set(X86.MXCSR, area.get(U32, 24));
        registers.set(X86.MXCSR_MASK, area.get(U32, 28));
        for (int i = 0; i < 8; i++) {
            registers.set(X86.st(i), area.asSlice(32 + 16L * i, 10).toArray(ValueLayout.JAVA_BYTE));
        }
        for (int i = 0; i < 16; i++) {
            registers.set(X86.xmm(i), area.asSlice(160 + 16L * i, 16).toArray(ValueLayout.JAVA_BYTE));
        }
        if (area.byteSize() >= YMM_HIGH_END && (area.get(U64, XSTATE_BV) & XSTATE_AVX) != 0) {
            for (int i = 0; i < 16; i++) {
                byte[] ymm = new byte[32];
                MemorySegment.copy(area, ValueLayout.JAVA_BYTE, 160 + 16L * i, ymm, 0, 16);
                MemorySegment.copy(area, ValueLayout.JAVA_BYTE, YMM_HIGH + 16L * i, ymm, 16, 16);
                registers.set(X86.ymm(i), ymm);
            }
        }
        BeyondAvxArea.read(area, registers);
    }

    /**
     * Writes the registers that are known, the others as the processor has them after FNINIT (Intel SDM volume 3, table
     * 10-1); nothing else is touched. AVX and AVX-512 registers and PKRU go in where
     * {@code area} has room for them.
     *
     * @param area at least {@link #SIZE} writable bytes
     * @param registers what is known
     */
    public static void write(MemorySegment area, RegisterState registers) {
        area.set(U16, 0, (short) registers.getOrElse(X86.FCW, 0x37f));
        area.set(U16, 2, (short) registers.getOrElse(X86.FSW, 0));
        area.set(ValueLayout.JAVA_BYTE, 4, (byte) registers.getOrElse(X86.FTW, 0));
        area.set(U16, 6, (short) registers.getOrElse(X86.FOP, 0));
        area.set(U64, 8, registers.getOrElse(X86.FIP, 0));
        area.set(U64, 16, registers.getOrElse(X86.FDP, 0));
        area.set(U32, 24, (int) registers.getOrElse(X86.MXCSR, 0x1f80));
        area.set(U32, 28, (int) registers.getOrElse(X86.MXCSR_MASK, 0));
        for (int i = 0; i < 8; i++) {
            copy(registers, X86.st(i), 0, 10, area, 32 + 16L * i);
        }
        boolean avx = false;
        for (int i = 0; i < 16; i++) {
            if (registers.knows(X86.ymm(i))) {
                avx = true;
                copy(registers, X86.ymm(i), 0, 16, area, 160 + 16L * i);
            } else {
                copy(registers, X86.xmm(i), 0, 16, area, 160 + 16L * i);
            }
        }
        if (area.byteSize() >= YMM_HIGH_END) {
            long components = avx ? XSTATE_AVX | 3 : 3;
            area.set(U64, XSTATE_BV, area.get(U64, XSTATE_BV) | components);
            for (int i = 0; i < 16; i++) {
                copy(registers, X86.ymm(i), 16, 16, area, YMM_HIGH + 16L * i);
            }
        }
        BeyondAvxArea.write(area, registers);
    }

    private static void copy(
            RegisterState registers, X86 register, int from, int length, MemorySegment area, long offset) {
        if (registers.knows(register)) {
            MemorySegment.copy(registers.bytes(register), from, area, ValueLayout.JAVA_BYTE, offset, length);
        }
    }
}

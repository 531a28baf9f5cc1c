package dev.guestcore.arch.x86;

import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * AVX-512 and protection keys in an XSAVE area of standard format (Intel SDM volume 1, sections 13.4 and 13.5). Where the
 * components lie is the processor's choice, told by CPUID leaf 0xd, which is not in a dump. Intel leaves room for MPX before
 * them, AMD does not, and the size of the area tells the two apart:
 *
 * <pre>
 *                              bit of XSTATE_BV   Intel   AMD
 * k0..k7, 8 bytes each                 5           1088    832
 * upper halves of zmm0..zmm15          6           1152    896   32 bytes each
 * zmm16..zmm31                         7           1664   1408   64 bytes each
 * pkru u32                             9           2688   2432   in 8 bytes
 * </pre>
 */
final class BeyondAvxArea {

    /** Size of an area in Intel's layout that holds all of this. */
    static final int SIZE = 2696;

    private static final int XSTATE_BV = 512;
    private static final long OPMASK_BIT = 1L << 5;
    private static final long ZMM_HIGH_BIT = 1L << 6;
    private static final long ZMM_UPPER_BIT = 1L << 7;
    private static final long PKRU_BIT = 1L << 9;
    private static final int INTEL = 1088;
    private static final int AMD = 832;
    private static final int ZMM_HIGH = 64;
    private static final int ZMM_UPPER = ZMM_HIGH + 16 * 32;
    private static final int PKRU = ZMM_UPPER + 16 * 64;
    private static final int LEGACY_XMM = 160;
    private static final int YMM_HIGH = 576;

    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private BeyondAvxArea() {}

    /** Where the components begin, if the area is one that holds them. */
    private static Optional<Integer> start(MemorySegment area) {
        long size = area.byteSize();
        return size >= INTEL + PKRU ? Optional.of(INTEL) : size >= AMD + PKRU ? Optional.of(AMD) : Optional.empty();
    }

    /** Reads what the area says it holds. */
    static void read(MemorySegment area, RegisterState.Builder registers) {
        Optional<Integer> start = start(area);
        if (start.isEmpty()) {
            return;
        }
        int at = start.get();
        long components = area.get(U64, XSTATE_BV);
        if ((components & OPMASK_BIT) != 0) {
            for (int i = 0; i < 8; i++) {
                registers.set(X86.opmask(i), area.get(U64, at + 8L * i));
            }
        }
        if ((components & ZMM_HIGH_BIT) != 0) {
            for (int i = 0; i < 16; i++) {
                byte[] zmm = new byte[64];
                copy(area, LEGACY_XMM + 16 * i, zmm, 0, 16);
                copy(area, YMM_HIGH + 16 * i, zmm, 16, 16);
                copy(area, at + ZMM_HIGH + 32 * i, zmm, 32, 32);
                registers.set(X86.zmm(i), zmm);
            }
        }
        if ((components & ZMM_UPPER_BIT) != 0) {
            for (int i = 0; i < 16; i++) {
                byte[] zmm = new byte[64];
                copy(area, at + ZMM_UPPER + 64 * i, zmm, 0, 64);
                registers.set(X86.zmm(16 + i), zmm);
            }
        }
        if ((components & PKRU_BIT) != 0 && area.byteSize() >= at + PKRU + Long.BYTES) {
            registers.set(X86.PKRU, area.get(U32, (long) at + PKRU));
        }
    }

    private static void copy(MemorySegment area, int from, byte[] target, int to, int length) {
        MemorySegment.copy(area, ValueLayout.JAVA_BYTE, from, target, to, length);
    }

    /** Writes what is known, where there is room for it. */
    static void write(MemorySegment area, RegisterState registers) {
        Optional<Integer> start = start(area);
        if (start.isEmpty()) {
            return;
        }
        int at = start.get();
        long components = area.get(U64, XSTATE_BV);
        for (int i = 0; i < 8; i++) {
            if (registers.knows(X86.opmask(i))) {
                area.set(U64, at + 8L * i, registers.get(X86.opmask(i)));
                components |= OPMASK_BIT;
            }
        }
        for (int i = 0; i < 32; i++) {
            if (!registers.knows(X86.zmm(i))) {
                continue;
            }
            byte[] zmm = registers.bytes(X86.zmm(i));
            boolean upper = i >= 16;
            int offset = upper ? at + ZMM_UPPER + 64 * (i - 16) : at + ZMM_HIGH + 32 * i;
            int from = upper ? 0 : 32;
            MemorySegment.copy(zmm, from, area, ValueLayout.JAVA_BYTE, offset, zmm.length - from);
            components |= upper ? ZMM_UPPER_BIT : ZMM_HIGH_BIT;
        }
        if (registers.knows(X86.PKRU) && area.byteSize() >= at + PKRU + Long.BYTES) {
            area.set(U32, (long) at + PKRU, (int) registers.get(X86.PKRU));
            components |= PKRU_BIT;
        }
        area.set(U64, XSTATE_BV, components);
    }
}

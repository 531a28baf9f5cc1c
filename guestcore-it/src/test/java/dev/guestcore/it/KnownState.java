package dev.guestcore.it;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.math.BigInteger;
import java.util.Set;

/** What {@code known-state.asm} loads into the registers and the memory of its two vCPUs. */
public final class KnownState {

    /** Memory: u64 at an address is the address XOR this. */
    public static final long PATTERN = 0xa5a5c3c35a5a3c3cL;

    /** First address of the pattern below 4 GiB. */
    public static final long LOW = 0x200000;

    /** First address of the pattern at 4 GiB, where the machine has memory there. */
    public static final long HIGH = 0x100000000L;

    /** Length of either pattern in bytes. */
    public static final long LENGTH = 0x200000;

    /** Model-specific registers that are loaded, but of which QEMU's monitor says nothing. */
    public static final Set<X86> HIDDEN = Set.of(
            X86.STAR,
            X86.LSTAR,
            X86.CSTAR,
            X86.SFMASK,
            X86.SYSENTER_CS,
            X86.SYSENTER_ESP,
            X86.SYSENTER_EIP,
            X86.CR8);

    private KnownState() {}

    static boolean isReached(QemuGuest guest) {
        return guest.monitor("xp /2wx 0x7000").contains("0x00000001 0x00000001")
                && guest.monitor("info registers -a").contains("HLT=1");
    }

    /**
     * All registers that are known of a vCPU.
     *
     * @param vcpu 0 spins, 1 is halted
     * @param avx whether the processor has AVX, which the guest then turns on
     */
    public static RegisterState registers(int vcpu, boolean avx) {
        RegisterState.Builder state = RegisterState.builder();
        X86[] general = {
            X86.RAX, X86.RBX, X86.RCX, X86.RDX, X86.RSI, X86.RDI, X86.RBP, X86.RSP,
            X86.R8, X86.R9, X86.R10, X86.R11, X86.R12, X86.R13, X86.R14, X86.R15
        };
        for (int i = 0; i < general.length; i++) {
            state.set(general[i], 0x0001020304050600L + i * 0x1010101010101000L + vcpu);
        }
        state.set(X86.KERNEL_GS_BASE, 0xffffa7a700003000L + vcpu);
        state.set(X86.RIP, vcpu == 0 ? 0x8600 : 0x8641);
        state.set(X86.RFLAGS, vcpu == 0 ? 0xcd7 : 0x46);
        segment(state, "cs", 0x08, 0, 0xffffffffL, 0xa09b);
        segment(state, "ds", 0x10, 0, 0xffffffffL, 0xc093);
        segment(state, "es", 0x18, 0x12345000, 0x7ffff, 0x4093);
        segment(state, "ss", 0x20, 0, 0xffffffffL, 0xd093);
        segment(state, "fs", 0x28, 0xffff8f5f00001000L + vcpu, 0x12345, 0x4091);
        segment(state, "gs", 0x30, 0xffff969600002000L + vcpu, 0xffffff, 0xc097);
        // A loaded task register is busy (0x8b); QEMU's software emulation keeps 0x89 in its hidden part.
        segment(state, "tr", 0x38 + 0x10 * vcpu, 0xffff800000007100L + 0x100 * vcpu, 0x67 + 8 * vcpu, 0x89);
        segment(state, "ldtr", 0x58, 0xffff800000008200L, 0x0f, 0x82);
        state.set(X86.GDTR_BASE, 0x8800).set(X86.GDTR_LIMIT, 0x67);
        state.set(X86.IDTR_BASE, 0xffff800000009300L).set(X86.IDTR_LIMIT, 0xfff);
        state.set(X86.CR0, 0x80010033L);
        state.set(X86.CR2, 0xc2c2c2c2c2c2c200L + vcpu);
        state.set(X86.CR3, vcpu == 0 ? 0x10000 : 0x10018);
        state.set(X86.CR4, avx ? 0x406a0 : 0x6a0);
        X86[] debug = {X86.DR0, X86.DR1, X86.DR2, X86.DR3};
        for (int i = 0; i < debug.length; i++) {
            state.set(debug[i], 0xd0d0d0d0d0d0d000L + i * 0x0101010101010100L + vcpu);
        }
        state.set(X86.DR6, 0xffff0ff5L).set(X86.DR7, 0x700);
        state.set(X86.EFER, 0xd01);
        state.set(X86.FCW, 0x27f).set(X86.FSW, 5 << 11).set(X86.FTW, 0xe0).set(X86.MXCSR, 0x9fc0);
        // log2(e), pi and 1 as the processor has them (Intel SDM volume 1, section 8.3.8), the last one pushed first.
        state.set(X86.ST0, littleEndian("3fffb8aa3b295c17f0bc", 10));
        state.set(X86.ST1, littleEndian("4000c90fdaa22168c235", 10));
        state.set(X86.ST2, littleEndian("3fff8000000000000000", 10));
        for (int i = 3; i < 8; i++) {
            state.set(X86.st(i), new byte[10]);
        }
        for (int i = 0; i < 16; i++) {
            byte[] lower = new byte[16];
            byte[] whole = new byte[32];
            for (int k = 0; k < 16; k++) {
                lower[k] = (byte) (16 * i + k ^ -vcpu);
                whole[k] = lower[k];
                whole[16 + k] = (byte) ~lower[k];
            }
            state.set(X86.xmm(i), lower);
            if (avx) {
                state.set(X86.ymm(i), whole);
            }
        }
        return state.build();
    }

    private static void segment(
            RegisterState.Builder state, String name, long selector, long base, long limit, long attributes) {
        state.set(X86.ofLabel(name).orElseThrow(), selector);
        state.set(X86.ofLabel(name + ".base").orElseThrow(), base);
        state.set(X86.ofLabel(name + ".limit").orElseThrow(), limit);
        state.set(X86.ofLabel(name + ".attributes").orElseThrow(), attributes);
    }

    private static byte[] littleEndian(String hex, int size) {
        byte[] bytes = new byte[size];
        BigInteger value = new BigInteger(hex, 16);
        for (int i = 0; i < size; i++) {
            bytes[i] = value.shiftRight(8 * i).byteValue();
        }
        return bytes;
    }
}

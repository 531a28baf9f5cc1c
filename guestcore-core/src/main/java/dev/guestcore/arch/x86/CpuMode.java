package dev.guestcore.arch.x86;

import dev.guestcore.cpu.RegisterState;

/**
 * Describes the mode of an x86 vCPU for the user, from CR0.PE, RFLAGS.VM, {@link X86Mode}, and the code segment's L, D and DPL
 * (Intel SDM volume 3, sections 2.2 and 3.4.5).
 */
public final class CpuMode {

    private static final long CR0_PE = 1;
    private static final long FLAGS_VM = 1L << 17;
    private static final long CODE_64 = 1L << 13;
    private static final long CODE_32 = 1L << 14;

    private CpuMode() {}

    /** Mode and instruction pointer: {@code 64-bit ring 0, rip 0xffffffff81000000}. */
    public static String describe(RegisterState registers) {
        return registers.knows(X86.RIP) ? mode(registers) + ", " + position(registers) : "registers unknown";
    }

    /** The mode: {@code 64-bit ring 0}, {@code real mode}, {@code mode unknown}. */
    public static String mode(RegisterState registers) {
        if (isReal(registers)) {
            return "real mode";
        }
        if (isVirtual8086(registers)) {
            return "virtual-8086 mode";
        }
        return width(registers) + (registers.knows(X86.CS) ? " ring " + (registers.get(X86.CS) & 3) : "");
    }

    /** Where the vCPU is, as its mode has it: {@code rip 0xffffffff81000000}, {@code cs:ip 0xf000:0xfff0}; or empty. */
    public static String position(RegisterState registers) {
        if (!registers.knows(X86.RIP)) {
            return "";
        }
        return isReal(registers) || isVirtual8086(registers)
                ? segmented(registers) + linear(registers)
                : "rip " + registers.hex(X86.RIP);
    }

    private static boolean isReal(RegisterState registers) {
        return registers.knows(X86.CR0) && (registers.get(X86.CR0) & CR0_PE) == 0;
    }

    private static boolean isVirtual8086(RegisterState registers) {
        return (registers.getOrElse(X86.RFLAGS, 0) & FLAGS_VM) != 0;
    }

    private static String width(RegisterState registers) {
        X86Mode.Width width = X86Mode.of(registers).width();
        boolean longMode = width == X86Mode.Width.LONG;
        if (longMode && registers.getOrElse(X86.RIP, 0) >>> Integer.SIZE != 0) {
            return "64-bit";
        }
        if (!registers.knows(X86.CS_ATTRIBUTES)) {
            return longMode ? "long mode" : width == X86Mode.Width.LEGACY ? "protected mode" : "mode unknown";
        }
        long attributes = registers.get(X86.CS_ATTRIBUTES);
        if ((attributes & CODE_64) != 0 && longMode) {
            return "64-bit";
        }
        String bits = (attributes & CODE_32) != 0 ? "32-bit" : "16-bit";
        return bits + (longMode ? " compatibility" : " protected");
    }

    private static String segmented(RegisterState registers) {
        String selector = registers.knows(X86.CS) ? registers.hex(X86.CS) : "?";
        return "cs:ip " + selector + ":" + registers.hex(X86.RIP);
    }

    private static String linear(RegisterState registers) {
        return registers.knows(X86.CS_BASE)
                ? " at linear 0x" + Long.toHexString(registers.get(X86.CS_BASE) + registers.get(X86.RIP) & 0xffff_ffffL)
                : "";
    }
}

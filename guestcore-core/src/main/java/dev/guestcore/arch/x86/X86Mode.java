package dev.guestcore.arch.x86;

import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.RegisterState;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Whether an x86 vCPU is in long mode, derived from all known registers. EFER states it, but not every source has EFER; if
 * EFER contradicts other registers, both are reported.
 *
 * <p>Outside of long mode RIP, CR3, GDTR and IDTR have 32 bits, so a larger value shows long mode, and so does a code
 * segment with the L bit while paging is on (Intel SDM volume 3, sections 2.2.1, 3.4.5 and 4.1). Long mode itself needs
 * CR0.PG and CR4.PAE. The upper halves of the other registers survive a switch of modes, so they count only where nothing
 * else is known.
 *
 * @param width which it is
 * @param how how it was derived, for the user
 * @param contradiction registers that cannot be true together, and which of them is believed; usually empty
 */
public record X86Mode(Width width, String how, Optional<String> contradiction) {

    /** EFER.LME and EFER.LMA: what EFER holds at least in long mode. */
    public static final long EFER_LONG_MODE = 0x500;

    /** EFER.LMA: the vCPU is in long mode. */
    public static final long EFER_LMA = 1L << 10;

    private static final long CR0_PE = 1;
    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PAE = 1L << 5;
    private static final long ATTRIBUTES_L = 1L << 13;

    /** A code segment of 64 bits that is present and can be read: what every kernel has. */
    private static final long CODE_64 = 0x209b;

    private static final int DPL_SHIFT = 5;
    private static final int RPL = 3;

    /** 32 bits wide outside of long mode. */
    private static final List<X86> NARROW_OUTSIDE = List.of(X86.CR3, X86.GDTR_BASE, X86.IDTR_BASE);

    /** 64 bits wide with a meaning in long mode only, though an old value may be left in them. */
    private static final List<X86> WIDE_INSIDE = List.of(
            X86.RSP,
            X86.RBP,
            X86.GS_BASE,
            X86.FS_BASE,
            X86.KERNEL_GS_BASE,
            X86.TR_BASE,
            X86.LSTAR,
            X86.CR2,
            X86.RAX,
            X86.RBX,
            X86.RCX,
            X86.RDX,
            X86.RSI,
            X86.RDI,
            X86.R8,
            X86.R9,
            X86.R10,
            X86.R11,
            X86.R12,
            X86.R13,
            X86.R14,
            X86.R15);

    /** How wide addresses are. */
    public enum Width {
        /** Long mode: 64-bit code, or 32-bit code below a 64-bit kernel. */
        LONG,
        /** Real mode or 32-bit protected mode. */
        LEGACY,
        /** What is known allows both. */
        UNKNOWN
    }

    /** Checks for null. */
    public X86Mode {
        Objects.requireNonNull(width);
        Objects.requireNonNull(how);
        Objects.requireNonNull(contradiction);
    }

    private static X86Mode certain(Width width, String how) {
        return new X86Mode(width, how, Optional.empty());
    }

    /** What the registers of one vCPU show. */
    public static X86Mode of(RegisterState registers) {
        boolean wide = isWide(registers, X86.RIP);
        String rip = X86.RIP.label() + " is wider than 32 bits";
        if (registers.knows(X86.EFER)) {
            return stated(registers, wide, rip);
        }
        String unknown = "efer is unknown, but ";
        if (isClear(registers, X86.CR0, CR0_PG) || isClear(registers, X86.CR4, CR4_PAE)) {
            X86 register = isClear(registers, X86.CR0, CR0_PG) ? X86.CR0 : X86.CR4;
            String bit = register == X86.CR0 ? ".PG" : ".PAE";
            if (wide) {
                return new X86Mode(
                        Width.LONG,
                        rip + ", though " + register.label() + bit + " is clear",
                        Optional.of(register.label() + " " + registers.hex(register) + " has " + bit.substring(1)
                                + " clear, which rules out long mode, but rip " + registers.hex(X86.RIP)
                                + " is wider than 32 bits; the vCPU is taken for a 64-bit one"));
            }
            return certain(Width.LEGACY, register.label() + bit + " is clear");
        }
        if (wide) {
            return certain(Width.LONG, unknown + rip);
        }
        for (X86 register : NARROW_OUTSIDE) {
            if (isWide(registers, register)) {
                return certain(Width.LONG, unknown + register.label() + " is wider than 32 bits");
            }
        }
        if ((registers.getOrElse(X86.CS_ATTRIBUTES, 0) & ATTRIBUTES_L) != 0) {
            return certain(Width.LONG, unknown + "cs is a 64-bit code segment");
        }
        for (X86 register : WIDE_INSIDE) {
            if (isWide(registers, register)) {
                return certain(Width.LONG, unknown + register.label() + " is wider than 32 bits");
            }
        }
        return certain(Width.UNKNOWN, "efer is unknown, and no register is wider than 32 bits");
    }

    private static X86Mode stated(RegisterState registers, boolean wide, String rip) {
        String efer = "efer " + registers.hex(X86.EFER);
        if (isWide(registers, X86.EFER)) {
            // No processor has such bits: the value is made up, and proves nothing against others.
            boolean set = (registers.get(X86.EFER) & EFER_LMA) != 0;
            return certain(set ? Width.LONG : Width.LEGACY, set ? "efer.LMA is set" : "efer.LMA is clear");
        }
        if ((registers.get(X86.EFER) & EFER_LMA) == 0) {
            if (!wide) {
                return certain(Width.LEGACY, "efer.LMA is clear");
            }
            String segment = (registers.getOrElse(X86.CS_ATTRIBUTES, 0) & ATTRIBUTES_L) != 0
                    ? " and cs is a 64-bit code segment"
                    : "";
            return new X86Mode(
                    Width.LONG,
                    rip + ", though efer.LMA is clear",
                    Optional.of(efer + " has LMA clear, so the vCPU would not be in long mode, but rip "
                            + registers.hex(X86.RIP) + " is wider than 32 bits" + segment
                            + "; it is taken for a 64-bit one"));
        }
        Optional<String> contradiction = Optional.empty();
        if (isClear(registers, X86.CR0, CR0_PG)) {
            contradiction = Optional.of(efer + " has LMA set, but cr0 " + registers.hex(X86.CR0)
                    + " has PG clear, without which there is no long mode; addresses are taken as not translated");
        } else if (isClear(registers, X86.CR4, CR4_PAE)) {
            contradiction = Optional.of(efer + " has LMA set, but cr4 " + registers.hex(X86.CR4)
                    + " has PAE clear, without which there is no long mode; virtual addresses cannot be translated");
        }
        return new X86Mode(Width.LONG, "efer.LMA is set", contradiction);
    }

    /** What the registers of a vCPU show and, where they leave it open, those of the guest's other vCPUs. */
    public static X86Mode of(Processor vcpu, List<? extends Processor> all) {
        X86Mode own = of(vcpu.registers());
        if (own.width != Width.UNKNOWN) {
            return own;
        }
        return all.stream()
                .filter(other -> of(other.registers()).isLong())
                .findFirst()
                .map(other -> certain(Width.LONG, "efer is unknown, but vCPU " + other.index() + " is in long mode"))
                .orElse(own);
    }

    /** Whether the vCPU is known to be in long mode. */
    public boolean isLong() {
        return width == Width.LONG;
    }

    /**
     * The registers that are not known but cannot have been zero in this mode, with the bits that the mode needs. All
     * other bits of them are clear, which nobody knows.
     *
     * @param registers what is known
     */
    public RegisterState implied(RegisterState registers) {
        RegisterState.Builder implied = RegisterState.builder();
        if (!isLong()) {
            return implied.build();
        }
        if (!registers.knows(X86.EFER)) {
            implied.set(X86.EFER, EFER_LONG_MODE);
        }
        if (!registers.knows(X86.CR0)) {
            implied.set(X86.CR0, CR0_PG | CR0_PE);
        }
        if (!registers.knows(X86.CR4)) {
            implied.set(X86.CR4, CR4_PAE);
        }
        // Code below a 64-bit kernel may be 32-bit code, but not at such an address.
        if (!registers.knows(X86.CS_ATTRIBUTES) && isWide(registers, X86.RIP)) {
            implied.set(X86.CS_ATTRIBUTES, CODE_64 | (registers.getOrElse(X86.CS, 0) & RPL) << DPL_SHIFT);
        }
        return implied.build();
    }

    private static boolean isWide(RegisterState registers, X86 register) {
        return registers.getOrElse(register, 0) >>> Integer.SIZE != 0;
    }

    private static boolean isClear(RegisterState registers, X86 register, long bit) {
        return registers.knows(register) && (registers.get(register) & bit) == 0;
    }
}

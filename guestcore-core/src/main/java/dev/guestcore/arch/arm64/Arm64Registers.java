package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.KernelNumbers;
import dev.guestcore.cpu.KernelRoot;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.GuestcoreException;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * How an arm64 vCPU translates, from its registers or from what its kernel says in VMCOREINFO (Arm Architecture Reference
 * Manual, D23: TCR_EL1, TTBR0_EL1, SCTLR_EL1, HCR_EL2, VTCR_EL2; Linux, arch/arm64/kernel/vmcore_info.c).
 */
final class Arm64Registers {

    private static final long PSTATE_32 = 1 << 4;
    private static final long MMU = 1;
    private static final long BIG_ENDIAN = 1L << 25;
    private static final long HOST = 1L << 34;
    private static final long GENERAL_EXCEPTIONS = 1L << 27;
    private static final long SECOND_STAGE = 1;
    private static final long WIDE = 1L << 59;
    private static final long DIRTY = 1L << 40;
    private static final long INDIRECT = 1L << 1;
    private static final long WIDE_DESCRIPTORS = 1L << 5;

    /** Widths of physical addresses by their code in TCR. */
    private static final int[] OUTPUT_BITS = {32, 36, 40, 42, 44, 48, 52, 56};

    private static final int WIDEST = 52;

    private final Processor vcpu;
    private final TranslationOptions options;
    private final RegisterState registers;

    Arm64Registers(Processor vcpu, TranslationOptions options) {
        this.vcpu = vcpu;
        this.options = options;
        this.registers = vcpu.registers();
    }

    private static Register register(String label) {
        return Arm64.TABLE.named(label);
    }

    private long get(String label) {
        return registers.getOrElse(register(label), 0);
    }

    private boolean knows(String label) {
        return registers.knows(register(label));
    }

    /** The rules. */
    Paging paging() {
        if (options.mode().isPresent()) {
            return stated((Arm64PagingMode) options.mode().get());
        }
        int level = (int) (registers.getOrElse(Arm64.PSTATE, 0) >>> 2 & 3);
        if ((registers.getOrElse(Arm64.PSTATE, 0) & PSTATE_32) != 0) {
            // The low bits are a mode of AArch32: its user mode runs below a kernel of 64 bits.
            if ((registers.get(Arm64.PSTATE) & 0xf) != 0) {
                throw new GuestcoreException("vCPU " + vcpu.index()
                        + " runs a kernel of 32 bits, whose page tables are not"
                        + " known to Guestcore; state the paging mode and the page-table root of a kernel of 64 bits");
            }
            level = 0;
        }
        boolean host = (get("hcr_el2") & HOST) != 0;
        if (level == 3) {
            throw new GuestcoreException("vCPU " + vcpu.index() + " is in EL3, whose page tables are not known to"
                    + " Guestcore; state the paging mode and the page-table root of a kernel");
        }
        if (level == 2 && !host) {
            return hypervisor();
        }
        boolean inHost = level == 2 || host && (get("hcr_el2") & GENERAL_EXCEPTIONS) != 0;
        return kernel(inHost ? "_el2" : "_el1", inHost);
    }

    private Paging kernel(String regime, boolean inHost) {
        if (knows("sctlr" + regime) && (get("sctlr" + regime) & MMU) == 0) {
            return off("sctlr" + regime + ".M is clear", inHost);
        }
        long tcr = require("tcr" + regime, UnknownRegisterException.Missing.MODE, "state the paging mode");
        boolean wide = (tcr & WIDE) != 0;
        int outputBits = Math.min(OUTPUT_BITS[(int) (tcr >>> 32 & 7)], WIDEST);
        Arm64Stage lower = half(
                "ttbr0" + regime, options.root(), (int) tcr & 0x3f, lowerPage((int) (tcr >>> 14) & 3), wide,
                outputBits, tcr >>> 7, tcr >>> 37, tcr >>> 41);
        Arm64Stage upper = half(
                "ttbr1" + regime, options.kernelRoot(), (int) (tcr >>> 16) & 0x3f, upperPage((int) (tcr >>> 30) & 3),
                wide, outputBits, tcr >>> 23, tcr >>> 38, tcr >>> 42);
        Arm64PagingMode mode = upper != null ? upper.mode() : lower != null ? lower.mode() : Arm64PagingMode.OFF;
        if (upper == null && lower == null) {
            throw new GuestcoreException("vCPU " + vcpu.index() + ": tcr" + regime + " 0x" + Long.toHexString(tcr)
                    + " disables both halves of all addresses or gives them no size; state the paging mode");
        }
        if ((get("tcr2" + regime) & WIDE_DESCRIPTORS) != 0) {
            throw new GuestcoreException("vCPU " + vcpu.index() + ": the page tables have descriptors of 128 bits"
                    + " (tcr2" + regime + ".D128), which are not known to Guestcore");
        }
        boolean indirect = !inHost && (get("tcr2" + regime) & INDIRECT) != 0 && knows("pir_el1");
        Arm64Paging.Rules rules = new Arm64Paging.Rules(
                Arm64Paging.Kind.TWO_MODES,
                (tcr & DIRTY) != 0,
                indirect ? OptionalLong.of(get("pir_el1")) : OptionalLong.empty(),
                indirect ? OptionalLong.of(get("pire0_el1")) : OptionalLong.empty(),
                order("sctlr" + regime),
                options.encryptionMask(),
                inHost ? Optional.empty() : secondStage(),
                false);
        long asid = ((tcr >>> 22 & 1) == 0 ? get("ttbr0" + regime) : get("ttbr1" + regime)) >>> 48;
        String how = "tcr" + regime + " 0x" + Long.toHexString(tcr) + ", address space " + asid;
        return new Arm64Paging(mode, lower, upper, rules, how);
    }

    private ByteOrder order(String control) {
        return (get(control) & BIG_ENDIAN) != 0 ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    private @Nullable Arm64Stage half(
            String label,
            OptionalLong stated,
            int size,
            int pageShift,
            boolean wideForm,
            int outputBits,
            long disabled,
            long tagged,
            long flat) {
        int bits = Long.SIZE - size;
        if ((disabled & 1) != 0 && stated.isEmpty() || !Arm64PagingMode.exists(pageShift, bits)) {
            return null;
        }
        long root = stated.orElseGet(() -> require(
                label,
                label.startsWith("ttbr0")
                        ? UnknownRegisterException.Missing.ROOT
                        : UnknownRegisterException.Missing.KERNEL_ROOT,
                "give the page-table root"));
        boolean wide = pageShift == 16 ? outputBits == WIDEST : wideForm;
        int width = Math.min(wide ? outputBits : Math.min(outputBits, 48), options.physicalBits());
        return new Arm64Stage(
                new Arm64PagingMode(pageShift, bits), root, wide, width, (tagged & 1) != 0, (flat & 1) == 0);
    }

    /** Codes of page sizes differ by register. */
    private static int lowerPage(int code) {
        return switch (code) {
            case 0 -> 12;
            case 1 -> 16;
            case 2 -> 14;
            default -> Long.SIZE;
        };
    }

    private static int upperPage(int code) {
        return switch (code) {
            case 1 -> 14;
            case 2 -> 12;
            case 3 -> 16;
            default -> Long.SIZE;
        };
    }

    /** EL2 that is no host: one half, and TCR_EL2 is laid out otherwise. */
    private Paging hypervisor() {
        if (knows("sctlr_el2") && (get("sctlr_el2") & MMU) == 0) {
            return off("sctlr_el2.M is clear", true);
        }
        long tcr = require("tcr_el2", UnknownRegisterException.Missing.MODE, "state the paging mode");
        boolean wide = (tcr >>> 32 & 1) != 0;
        int outputBits = Math.min(OUTPUT_BITS[(int) (tcr >>> 16 & 7)], WIDEST);
        Arm64Stage lower = half(
                "ttbr0_el2", options.root(), (int) tcr & 0x3f, lowerPage((int) (tcr >>> 14) & 3), wide, outputBits,
                0, tcr >>> 20, tcr >>> 24);
        if (lower == null) {
            throw new GuestcoreException("vCPU " + vcpu.index() + ": tcr_el2 0x" + Long.toHexString(tcr)
                    + " gives addresses no size; state the paging mode");
        }
        Arm64Paging.Rules rules = new Arm64Paging.Rules(
                Arm64Paging.Kind.ONE_MODE,
                (tcr >>> 22 & 1) != 0,
                OptionalLong.empty(),
                OptionalLong.empty(),
                order("sctlr_el2"),
                options.encryptionMask(),
                Optional.empty(),
                false);
        return new Arm64Paging(lower.mode(), lower, null, rules, "tcr_el2 0x" + Long.toHexString(tcr));
    }

    private Paging off(String how, boolean physical) {
        return new Arm64Paging(Arm64PagingMode.OFF, null, null, plain(physical ? Optional.empty() : secondStage()),
                how);
    }

    private Arm64Paging.Rules plain(Optional<Paging> second) {
        return new Arm64Paging.Rules(
                Arm64Paging.Kind.TWO_MODES,
                false,
                OptionalLong.empty(),
                OptionalLong.empty(),
                order("sctlr_el1"),
                options.encryptionMask(),
                second,
                true);
    }

    /** What a hypervisor in the guest puts behind the addresses of its own guest. */
    private Optional<Paging> secondStage() {
        if ((get("hcr_el2") & SECOND_STAGE) == 0) {
            return Optional.empty();
        }
        long control = require("vtcr_el2", UnknownRegisterException.Missing.MODE, "state the paging mode");
        long root = require("vttbr_el2", UnknownRegisterException.Missing.ROOT, "give the page-table root");
        return Optional.of(Arm64SecondStage.of(control, root, options.physicalBits(), OUTPUT_BITS, vcpu.index()));
    }

    private Paging stated(Arm64PagingMode mode) {
        if (!mode.hasTables()) {
            return new Arm64Paging(mode, null, null, plain(Optional.empty()), "stated");
        }
        Optional<Long> user = root(options.root(), "ttbr0_el1");
        Optional<Long> kernel = root(options.kernelRoot(), "ttbr1_el1");
        if (user.isEmpty() && kernel.isEmpty()) {
            throw new UnknownRegisterException(
                    vcpu.index(),
                    register("ttbr0_el1"),
                    UnknownRegisterException.Missing.ROOT,
                    "give the page-table root");
        }
        return new Arm64Paging(
                mode,
                user.map(root -> plain(mode, root, options.physicalBits())).orElse(null),
                kernel.map(root -> plain(mode, root, options.physicalBits())).orElse(null),
                plain(Optional.empty()),
                "stated");
    }

    private Optional<Long> root(OptionalLong stated, String label) {
        return stated.isPresent()
                ? Optional.of(stated.getAsLong())
                : Optional.of(label).filter(this::knows).map(this::get);
    }

    /** A half of which nothing but the mode is known: as Linux has it. */
    private static Arm64Stage plain(Arm64PagingMode mode, long root, int physicalBits) {
        boolean wide = mode.pageShift() == 16 || mode.virtualBits() > 48;
        return new Arm64Stage(mode, root, wide, wide ? physicalBits : Math.min(physicalBits, 48), true, true);
    }

    private long require(String label, UnknownRegisterException.Missing missing, String remedy) {
        if (!knows(label)) {
            throw new UnknownRegisterException(vcpu.index(), register(label), missing, remedy);
        }
        return get(label);
    }

    /** What a Linux kernel names. */
    static List<KernelRoot> kernelRoots(KernelNumbers numbers) {
        OptionalLong offset = numbers.number("kimage_voffset");
        OptionalLong symbol = numbers.symbol("swapper_pg_dir");
        OptionalLong size = numbers.number("TCR_EL1_T1SZ");
        OptionalLong bits =
                size.isPresent() ? OptionalLong.of(Long.SIZE - size.getAsLong()) : numbers.number("VA_BITS");
        int page = numbers.value("PAGESIZE").map(Arm64Registers::pageShift).orElse(12);
        if (offset.isEmpty() || symbol.isEmpty() || bits.isEmpty()
                || !Arm64PagingMode.exists(page, (int) bits.getAsLong())) {
            return List.of();
        }
        Arm64PagingMode mode = new Arm64PagingMode(page, (int) bits.getAsLong());
        String from = "SYMBOL(swapper_pg_dir) and NUMBER(kimage_voffset) of VMCOREINFO";
        long table = symbol.getAsLong() - offset.getAsLong();
        // In the form of the register, where the upper bits of the address may stand in lower ones.
        long root = table & (1L << 48) - 1 | (table >>> 48 & 0xf) << 2;
        Arm64Paging.Rules rules = new Arm64Paging.Rules(
                Arm64Paging.Kind.TWO_MODES,
                true,
                OptionalLong.empty(),
                OptionalLong.empty(),
                ByteOrder.LITTLE_ENDIAN,
                0,
                Optional.empty(),
                true);
        Arm64Paging paging = new Arm64Paging(mode, null, plain(mode, root, WIDEST), rules, from);
        return List.of(new KernelRoot(
                paging, symbol.getAsLong(), from, KernelRoot.places(numbers, offset.getAsLong())));
    }

    private static int pageShift(String text) {
        return switch (text.strip()) {
            case "16384" -> 14;
            case "65536" -> 16;
            default -> 12;
        };
    }
}

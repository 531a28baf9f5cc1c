package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.KernelNumbers;
import dev.guestcore.cpu.KernelRoot;
import dev.guestcore.cpu.NoteLayout;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.cpu.TabledArchitecture;
import dev.guestcore.cpu.TargetDescription;
import dev.guestcore.cpu.TranslationOptions;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** 64-bit Arm, in either byte order. */
public final class Arm64Architecture extends TabledArchitecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(183, "aarch64", "AArch64", "aarch64(_be)?|arm64")
            .knownBy(List.of(392), List.of("NUMBER(kimage_voffset)", "NUMBER(TCR_EL1_T1SZ)"));

    /** The architecture. */
    public static final Arm64Architecture INSTANCE = new Arm64Architecture();

    private static final StatusLayout STATUS = new StatusLayout(
            392,
            32,
            112,
            Arm64.TABLE::find,
            "x0..x30 sp pc pstate");

    /** nRW: the vCPU runs AArch32 code. */
    private static final long PSTATE_32 = 1 << 4;

    private static final Map<Integer, String> MODES_32 = Map.of(
            0, "usr", 1, "fiq", 2, "irq", 3, "svc", 6, "mon", 7, "abt", 10, "hyp", 11, "und", 15, "sys");

    /** Those that QEMU and Linux write, and those of user processes (Linux, include/uapi/linux/elf.h). */
    private static final List<RegisterNote> NOTES = List.of(
            new NoteLayout(RegisterNote.CORE, 2, 528, Arm64.TABLE::find, "v0..v31 fpsr fpcr -8"),
            new SveNote(0x405, true),
            new SveNote(0x40b, false),
            new ZaNote(),
            new NoteLayout(RegisterNote.LINUX, 0x406, 16, Arm64.TABLE::find, "pauth_dmask pauth_cmask"),
            new NoteLayout(RegisterNote.LINUX, 0x401, 8, Arm64.TABLE::find, "tpidr_el0"));

    private Arm64Architecture() {
        super("arm64", "AArch64", MACHINE, Optional.empty(), Arm64.TABLE, "pc");
    }

    @Override
    public Optional<String> linuxName(ByteOrder order) {
        return Optional.of(order == ByteOrder.LITTLE_ENDIAN ? "aarch64" : "aarch64_be");
    }

    @Override
    public List<RegisterNote> notes() {
        return NOTES;
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }

    /** Exception level and stack pointer, as SPSR_ELx.M has them: {@code 64-bit EL1h}; for AArch32 the mode's short name. */
    @Override
    public String mode(RegisterState registers) {
        if (!registers.knows(Arm64.PSTATE)) {
            return "mode unknown";
        }
        long pstate = registers.get(Arm64.PSTATE);
        if ((pstate & PSTATE_32) != 0) {
            return "32-bit " + MODES_32.getOrDefault((int) (pstate & 0xf), "mode 0x" + Long.toHexString(pstate & 0x1f));
        }
        long level = pstate >>> 2 & 3;
        return "64-bit EL" + level + (level == 0 ? "" : (pstate & 1) == 0 ? "t" : "h");
    }

    @Override
    public String root(RegisterState registers) {
        Register register = Arm64.TABLE.named("ttbr1_el1");
        return registers.knows(register) ? "ttbr1_el1 " + registers.hex(register) : "";
    }

    @Override
    public Optional<TargetDescription> targetDescription(
            List<RegisterState> vcpus, ByteOrder order, OptionalInt addressBits) {
        return Optional.of(Arm64TargetDescription.of(vcpus, order));
    }

    @Override
    public List<PagingMode> pagingModes() {
        return Arm64PagingMode.ALL;
    }

    @Override
    public Optional<Paging> paging(Processor vcpu, List<? extends Processor> all, TranslationOptions stated) {
        return Optional.of(new Arm64Registers(vcpu, stated).paging());
    }

    /** As Linux names it (arch/&#42;/kernel/vmcore_info.c). */
    @Override
    public List<KernelRoot> kernelRoots(KernelNumbers numbers) {
        return Arm64Registers.kernelRoots(numbers);
    }
}

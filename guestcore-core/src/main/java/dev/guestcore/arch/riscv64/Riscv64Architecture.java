package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.KernelNumbers;
import dev.guestcore.cpu.KernelRoot;
import dev.guestcore.cpu.NoteLayout;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.cpu.TabledArchitecture;
import dev.guestcore.cpu.TargetDescription;
import dev.guestcore.cpu.TranslationOptions;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;

/** 64-bit RISC-V. */
public final class Riscv64Architecture extends TabledArchitecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(243, "riscv", "RISC-V", "riscv(32|64)")
            .knownBy(List.of(376), List.of("NUMBER(va_kernel_pa_offset)"));

    /** The architecture. */
    public static final Riscv64Architecture INSTANCE = new Riscv64Architecture();

    private static final StatusLayout STATUS = new StatusLayout(
            376,
            32,
            112,
            Riscv64.TABLE::find,
            "pc ra sp gp tp t0..t2 s0..s1 a0..a7 s2..s11 t3..t6");

    /** Those of Linux, arch/riscv/kernel/ptrace.c; floating point is struct __riscv_d_ext_state with its padding. */
    private static final List<RegisterNote> NOTES = List.of(
            new NoteLayout(
                    RegisterNote.CORE,
                    2,
                    264,
                    Riscv64.TABLE::find,
                    "ft0..ft7 fs0..fs1 fa0..fa7 fs2..fs11 ft8..ft11 fcsr"),
            new VectorNote());

    private Riscv64Architecture() {
        super("riscv64", "RISC-V", MACHINE, Optional.of(ByteOrder.LITTLE_ENDIAN), Riscv64.TABLE, "pc");
    }

    @Override
    public List<RegisterNote> notes() {
        return NOTES;
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }

    /** The privilege mode, which QEMU's streams hold and notes do not: {@code 64-bit supervisor}. */
    @Override
    public String mode(RegisterState registers) {
        if (!registers.knows(Riscv64.PRIV)) {
            return "mode unknown";
        }
        long mode = registers.get(Riscv64.PRIV);
        return "64-bit " + (mode == 0 ? "user" : mode == 1 ? "supervisor" : mode == 3 ? "machine" : "mode " + mode);
    }

    @Override
    public String root(RegisterState registers) {
        return registers.knows(Riscv64.SATP) ? "satp " + registers.hex(Riscv64.SATP) : "";
    }

    @Override
    public Optional<TargetDescription> targetDescription(
            List<RegisterState> vcpus, ByteOrder order, OptionalInt addressBits) {
        return Optional.of(Riscv64TargetDescription.of(vcpus));
    }

    @Override
    public List<PagingMode> pagingModes() {
        return List.of(Riscv64PagingMode.values());
    }

    @Override
    public Optional<Paging> paging(Processor vcpu, List<? extends Processor> all, TranslationOptions stated) {
        return Optional.of(Riscv64Paging.of(vcpu, stated));
    }

    /** As Linux names it (arch/&#42;/kernel/vmcore_info.c). */
    @Override
    public List<KernelRoot> kernelRoots(KernelNumbers numbers) {
        OptionalLong offset = numbers.number("va_kernel_pa_offset");
        OptionalLong symbol = numbers.symbol("swapper_pg_dir");
        OptionalLong bits = numbers.number("VA_BITS");
        Optional<Riscv64PagingMode> mode = Stream.of(Riscv64PagingMode.values())
                .filter(known -> known.hasTables() && bits.isPresent() && known.virtualBits() == bits.getAsLong())
                .findFirst();
        if (offset.isEmpty() || symbol.isEmpty() || mode.isEmpty()) {
            return List.of();
        }
        String from = "SYMBOL(swapper_pg_dir) and NUMBER(va_kernel_pa_offset) of VMCOREINFO";
        long root = Riscv64Paging.satp(mode.get(), symbol.getAsLong() - offset.getAsLong());
        return List.of(new KernelRoot(
                new Riscv64Paging(mode.get(), root, 56, from),
                symbol.getAsLong(),
                from,
                KernelRoot.places(numbers, offset.getAsLong())));
    }
}

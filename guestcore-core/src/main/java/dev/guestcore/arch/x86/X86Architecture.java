package dev.guestcore.arch.x86;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.cpu.TargetDescription;
import dev.guestcore.cpu.TranslationOptions;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * 16, 32 and 64-bit Intel and AMD: one architecture, since the mode of a vCPU follows from its registers and one guest may
 * have vCPUs in several.
 */
public final class X86Architecture implements Architecture {

    /** Bytes of a page table, and of the smallest page (Intel SDM volume 3, chapter 4). */
    public static final int PAGE_SIZE = 4096;

    /** 64-bit x86. */
    public static final ElfMachine X86_64 = new ElfMachine(62, "x86-64", "x86-64", "x86_64")
            .knownBy(
                    // Those of 32 bits: QEMU writes them of a vCPU that is not in long mode.
                    List.of(336, 328, 144, 140),
                    List.of("SYMBOL(init_top_pgt)", "SYMBOL(init_level4_pgt)", "NUMBER(pgtable_l5_enabled)"));

    /** 32-bit x86. */
    public static final ElfMachine I386 =
            new ElfMachine(3, "386", "x86", "i[3-6]86").knownBy(List.of(144, 140), List.of("CONFIG_X86_PAE"));

    /** The architecture. */
    public static final X86Architecture INSTANCE = new X86Architecture();

    private static final StatusLayout STATUS_64 = new StatusLayout(
            336,
            32,
            112,
            X86::ofLabel,
            "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi - rip cs rflags rsp ss fs.base gs.base ds es fs gs");
    private static final StatusLayout STATUS_32 = new StatusLayout(
            144, 24, 72, X86::ofLabel, ":4 rbx rcx rdx rsi rdi rbp rax ds es fs gs - rip cs rflags rsp ss");

    private X86Architecture() {}

    @Override
    public String name() {
        return "x86";
    }

    @Override
    public String title() {
        return "x86";
    }

    @Override
    public Optional<String> linuxName(ByteOrder order) {
        return Optional.of("x86_64");
    }

    @Override
    public List<ElfMachine> machines() {
        return List.of(X86_64, I386);
    }

    @Override
    public Optional<ByteOrder> byteOrder() {
        return Optional.of(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public int pageSize() {
        return PAGE_SIZE;
    }

    @Override
    public List<Register> registers() {
        return List.of(X86.values());
    }

    @Override
    public Optional<Register> register(String label) {
        return X86.ofLabel(label).map(Register.class::cast);
    }

    @Override
    public Optional<Register> instructionPointer() {
        return Optional.of(X86.RIP);
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(machine == I386 ? STATUS_32 : STATUS_64);
    }

    @Override
    public String mode(RegisterState registers) {
        return CpuMode.mode(registers);
    }

    @Override
    public String position(RegisterState registers) {
        return CpuMode.position(registers);
    }

    @Override
    public List<PagingMode> pagingModes() {
        return List.of(X86PagingMode.values());
    }

    @Override
    public Optional<Paging> paging(Processor vcpu, List<? extends Processor> all, TranslationOptions stated) {
        return Optional.of(X86Paging.of(vcpu, all, stated));
    }

    @Override
    public Optional<TargetDescription> targetDescription(
            List<RegisterState> vcpus, ByteOrder order, OptionalInt addressBits) {
        return Optional.of(X86TargetDescription.of(vcpus, addressBits));
    }

    @Override
    public String root(RegisterState registers) {
        return registers.knows(X86.CR3) ? "cr3 " + registers.hex(X86.CR3) : "cr3 unknown";
    }

    @Override
    public Optional<String> contradiction(RegisterState registers) {
        return X86Mode.of(registers).contradiction();
    }

    @Override
    public String toString() {
        return name();
    }
}

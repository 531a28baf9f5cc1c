package dev.guestcore.arch.s390x;

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
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.stream.Stream;

/** 64-bit IBM Z. */
public final class S390xArchitecture extends TabledArchitecture {

    /** As ELF files name it. */
    public static final ElfMachine MACHINE = new ElfMachine(22, "s390x", "s390x", "s390x?")
            .knownBy(List.of(336, 328), List.of("SYMBOL(lowcore_ptr)"));

    /** The architecture. */
    public static final S390xArchitecture INSTANCE = new S390xArchitecture();

    private static final StatusLayout STATUS = new StatusLayout(
            336,
            32,
            112,
            S390x.TABLE::find,
            "pswm pswa r0..r15 :4 acr0..acr15 :8 -");

    private static final long PROBLEM = 1L << 63 - 15;
    private static final long EXTENDED = 1L << 63 - 31;
    private static final long BASIC = 1L << 63 - 32;

    /** Those that QEMU writes (target/s390x/arch_dump.c; Linux, include/uapi/linux/elf.h). */
    private static final List<RegisterNote> NOTES = List.of(
            new NoteLayout(RegisterNote.CORE, 2, 136, S390x.TABLE::find, "fpc -4 f0..f15"),
            new NoteLayout(RegisterNote.LINUX, 0x305, 4, S390x.TABLE::find, "prefix"),
            new NoteLayout(RegisterNote.LINUX, 0x304, 128, S390x.TABLE::find, "cr0..cr15"),
            new NoteLayout(RegisterNote.LINUX, 0x301, 8, S390x.TABLE::find, "cputm"),
            new NoteLayout(RegisterNote.LINUX, 0x302, 8, S390x.TABLE::find, "ckc"),
            new NoteLayout(RegisterNote.LINUX, 0x303, 4, S390x.TABLE::find, "todpreg"),
            new LowerHalvesNote(),
            new NoteLayout(RegisterNote.LINUX, 0x30a, 256, S390x.TABLE::find, "v16..v31"),
            new NoteLayout(RegisterNote.LINUX, 0x30b, 32, S390x.TABLE::find, "-8 gsd gssm gsepl"));

    private S390xArchitecture() {
        super("s390x", "s390x", MACHINE, Optional.of(ByteOrder.BIG_ENDIAN), S390x.TABLE, "pswa");
    }

    @Override
    public List<RegisterNote> notes() {
        return NOTES;
    }

    @Override
    public Optional<StatusLayout> status(ElfMachine machine) {
        return Optional.of(STATUS);
    }

    /** Width of addresses and state, as the program-status word has them: {@code 64-bit supervisor}. */
    @Override
    public String mode(RegisterState registers) {
        if (!registers.knows(S390x.PSWM)) {
            return "mode unknown";
        }
        long mask = registers.get(S390x.PSWM);
        String width = (mask & BASIC) == 0 ? "24-bit" : (mask & EXTENDED) == 0 ? "31-bit" : "64-bit";
        return width + ((mask & PROBLEM) == 0 ? " supervisor" : " problem state");
    }

    @Override
    public String root(RegisterState registers) {
        Register register = S390x.control(1);
        return registers.knows(register) ? "cr1 " + registers.hex(register) : "";
    }

    @Override
    public Optional<TargetDescription> targetDescription(
            List<RegisterState> vcpus, ByteOrder order, OptionalInt addressBits) {
        return Optional.of(S390xTargetDescription.of(vcpus));
    }

    @Override
    public List<PagingMode> pagingModes() {
        return List.of(S390xPagingMode.values());
    }

    @Override
    public Optional<Paging> paging(Processor vcpu, List<? extends Processor> all, TranslationOptions stated) {
        return Optional.of(S390xPaging.of(vcpu, stated));
    }

    /** As Linux names it (arch/&#42;/kernel/vmcore_info.c). */
    @Override
    public List<KernelRoot> kernelRoots(KernelNumbers numbers) {
        OptionalLong symbol = numbers.symbol("swapper_pg_dir");
        if (symbol.isEmpty()) {
            return List.of();
        }
        String from = "SYMBOL(swapper_pg_dir) of VMCOREINFO";
        return Stream.of(S390xPagingMode.REGION_THIRD, S390xPagingMode.REGION_SECOND)
                .map(mode -> new KernelRoot(
                        S390xPaging.named(symbol.getAsLong(), mode, true, true, 0, from),
                        symbol.getAsLong(),
                        from,
                        KernelRoot.places(numbers, 0)))
                .toList();
    }
}

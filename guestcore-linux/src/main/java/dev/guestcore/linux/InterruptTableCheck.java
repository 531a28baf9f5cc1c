package dev.guestcore.linux;

import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;

import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import java.util.Map;
import java.util.Optional;

/**
 * The interrupt descriptor table of x86-64, and the registers that lead to it and to the entry of system calls. Each gate must lead
 * to an entry of the kernel. Sources: {@code arch/x86/kernel/idt.c}, {@code arch/x86/include/asm/desc_defs.h}, {@code idtentry.h}
 * of Linux; Intel's manual, volume 3, chapter 6 (gates, numbers of exceptions).
 */
final class InterruptTableCheck implements KernelCheck.Part {

    private static final int GATES = 256;
    private static final String GATE = "struct gate_struct";
    private static final int SYSTEM_CALL = 0x80;
    private static final int FIRST_EXTERNAL = 32;

    /** Page faults. */
    private static final int LAST_ALWAYS_USED = 14;

    /** Functions of exceptions since 5.8, behind {@code asm_exc_}. */
    private static final Map<Integer, String> EXCEPTIONS = Map.ofEntries(
            Map.entry(0, "divide_error"),
            Map.entry(1, "debug"),
            Map.entry(2, "nmi"),
            Map.entry(3, "int3"),
            Map.entry(4, "overflow"),
            Map.entry(5, "bounds"),
            Map.entry(6, "invalid_op"),
            Map.entry(7, "device_not_available"),
            Map.entry(8, "double_fault"),
            Map.entry(9, "coproc_segment_overrun"),
            Map.entry(10, "invalid_tss"),
            Map.entry(11, "segment_not_present"),
            Map.entry(12, "stack_segment"),
            Map.entry(13, "general_protection"),
            Map.entry(14, "page_fault"),
            Map.entry(16, "coprocessor_error"),
            Map.entry(17, "alignment_check"),
            Map.entry(18, "machine_check"),
            Map.entry(19, "simd_coprocessor_error"));

    private final Linux linux;

    InterruptTableCheck(Linux linux) {
        this.linux = linux;
    }

    @Override
    public void look(KernelCheck.Told told) {
        KernelText text = new KernelText(linux);
        long table = linux.symbols()
                .find("idt_table")
                .map(Symbol::address)
                .orElseThrow(() -> new LinuxException("this kernel does not name its table"));
        boolean named = linux.symbols().find("asm_exc_page_fault").isPresent();
        long size = linux.type(GATE).size();
        for (int number = 0; number < GATES; number++) {
            KernelObject gate = linux.object(GATE, table + number * size);
            if (gate.getInt("bits.p") != 0) {
                look(text, number, gate, named, told);
            }
        }
        linux.guest().vcpus().forEach(vcpu -> registers(text, vcpu, table, told));
    }

    private void look(KernelText text, int number, KernelObject gate, boolean named, KernelCheck.Told told) {
        long address = gate.getLong("offset_low")
                | gate.getLong("offset_middle") << Short.SIZE
                | gate.getLong("offset_high") << Integer.SIZE;
        String exception = EXCEPTIONS.get(number);
        boolean exact = named && exception != null;
        boolean good = isUnused(number, address)
                || text.contains(address)
                        && (!named || (exact ? isAt(address, "asm_exc_" + exception) : isEntry(number, address)));
        if (!good) {
            told.found(CheckFinding.tampering(
                    "idt-entry",
                    "gate " + number + " of the interrupt descriptor table was changed",
                    gate.address(),
                    exact ? "asm_exc_" + exception : "an entry of the kernel",
                    text.name(address)));
        }
    }

    /** Exceptions that the processor does not have keep what the kernel put there when it started. */
    private boolean isUnused(int number, long address) {
        return number > LAST_ALWAYS_USED
                && number < FIRST_EXTERNAL
                && linux.symbols()
                        .at(address)
                        .filter(found -> found.symbol().name().equals("early_idt_handler_array"))
                        .isPresent();
    }

    private boolean isAt(long address, String name) {
        return linux.symbols().findAll(name).stream().anyMatch(symbol -> symbol.address() == address);
    }

    private boolean isEntry(int number, long address) {
        Optional<SymbolOffset> found = linux.symbols().at(address);
        String name = found.map(at -> at.symbol().name()).orElse("");
        if (name.equals("irq_entries_start") || name.equals("spurious_entries_start")) {
            return number >= FIRST_EXTERNAL;
        }
        boolean entry = name.startsWith("asm_") || number == SYSTEM_CALL && name.startsWith("entry_INT80");
        return entry && found.orElseThrow().offset() == 0;
    }

    /** The table is mapped a second time, to be read only, and that is the one which processors use. */
    private void registers(KernelText text, Vcpu vcpu, long table, KernelCheck.Told told) {
        RegisterState registers = vcpu.registers();
        if (registers.knows(X86.IDTR_BASE)) {
            long base = registers.get(X86.IDTR_BASE);
            Optional<Long> physical = linux.image().space().translate(base).guestPhysical().map(place -> place.value());
            long expected = linux.image().physical(table);
            if (physical.isPresent() && physical.get() != expected) {
                told.found(CheckFinding.tampering(
                        "idt-register",
                        "vCPU " + vcpu.index() + " uses another interrupt descriptor table than the kernel's",
                        base,
                        "idt_table, guest-physical 0x" + Long.toHexString(expected),
                        "guest-physical 0x" + Long.toHexString(physical.get())));
            }
        }
        if (registers.knows(X86.LSTAR) && registers.get(X86.LSTAR) != 0) {
            long entry = registers.get(X86.LSTAR);
            if (!text.contains(entry) || !isAt(entry, "entry_SYSCALL_64")) {
                told.found(CheckFinding.tampering(
                        "syscall-register",
                        "system calls of vCPU " + vcpu.index() + " do not enter where the kernel has its entry",
                        entry,
                        "entry_SYSCALL_64",
                        text.name(entry)));
            }
        }
    }
}

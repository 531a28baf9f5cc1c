package dev.guestcore.linux;

import dev.guestcore.linux.symbols.Symbol;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The tables of system calls. Each entry must be the start of one of the kernel's own functions for system calls; where the kernel
 * can trace system calls, its list of them tells which. Sources: {@code arch/x86/entry/syscall_64.c}, {@code
 * arch/x86/include/asm/syscall_wrapper.h}, {@code include/trace/syscall.h}, {@code kernel/trace/trace_syscalls.c} of Linux.
 */
final class SystemCallCheck implements KernelCheck.Part {

    private static final List<String> TABLES = List.of("sys_call_table", "ia32_sys_call_table", "x32_sys_call_table");

    /** More than any kernel has. */
    private static final int MOST_CALLS = 1024;

    private static final String PREFIX = "__x64_";

    private final Linux linux;

    SystemCallCheck(Linux linux) {
        this.linux = linux;
    }

    @Override
    public void look(KernelCheck.Told told) {
        KernelText text = new KernelText(linux);
        boolean any = false;
        for (String table : TABLES) {
            Optional<Symbol> symbol = linux.symbols().find(table);
            if (symbol.isPresent()) {
                any = true;
                look(text, symbol.get(), told);
            }
        }
        if (!any) {
            throw new LinuxException("this kernel names no table of them");
        }
    }

    private void look(KernelText text, Symbol table, KernelCheck.Told told) {
        int count = count(table);
        Map<Integer, String> names = table.name().equals(TABLES.getFirst()) ? names(count) : Map.of();
        for (int number = 0; number < count; number++) {
            long place = table.address() + (long) number * Long.BYTES;
            long address = linux.pointerAt(place);
            String expected = names.get(number);
            boolean good = text.contains(address)
                    && (expected == null ? isSystemCall(address) : isNamed(address, PREFIX + expected));
            if (!good) {
                told.found(CheckFinding.tampering(
                        "syscall-entry",
                        "entry " + number + " of " + table.name() + " was changed",
                        place,
                        expected == null ? "the start of a function for system calls" : PREFIX + expected,
                        text.name(address)));
            }
        }
    }

    /** Up to the next symbol, without the zeros before that. */
    private int count(Symbol table) {
        int count = 0;
        for (int number = 0; number < MOST_CALLS; number++) {
            long place = table.address() + (long) number * Long.BYTES;
            boolean within =
                    linux.symbols().at(place).filter(at -> at.symbol().address() == table.address()).isPresent();
            if (!within) {
                break;
            }
            if (linux.pointerAt(place) != 0) {
                count = number + 1;
            }
        }
        return count;
    }

    /** Several names may stand for one address. */
    private boolean isNamed(long address, String name) {
        return linux.symbols().findAll(name).stream().anyMatch(symbol -> symbol.address() == address);
    }

    private boolean isSystemCall(long address) {
        return linux.symbols()
                .at(address)
                .filter(found -> found.offset() == 0 && found.symbol().name().contains("sys_"))
                .isPresent();
    }

    /** What each number is called in the list for tracing; empty if the kernel has no such list. */
    private Map<Integer, String> names(int count) {
        Map<Integer, String> names = new HashMap<>();
        Optional<Symbol> list = linux.symbols().find("syscalls_metadata");
        boolean known = list.isPresent()
                && linux.requireTypes().find("struct syscall_metadata").isPresent()
                && linux.symbols().find(PREFIX + "sys_read").isPresent();
        long array = known ? linux.pointerAt(list.orElseThrow().address()) : 0;
        for (int number = 0; array != 0 && number < count; number++) {
            long entry = linux.pointerAt(array + (long) number * Long.BYTES);
            if (entry != 0 && linux.image().range().contains(entry)) {
                KernelObject call = linux.object("struct syscall_metadata", entry);
                if (call.getInt("syscall_nr") == number) {
                    names.put(number, call.get("name").string());
                }
            }
        }
        return names;
    }
}

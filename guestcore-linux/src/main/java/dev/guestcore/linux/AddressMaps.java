package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.Symbol;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What the addresses of a process mean. Sources: {@code fs/proc/task_mmu.c}, {@code include/linux/mm_types.h} and {@code mm.h},
 * {@code arch/x86/entry/vsyscall/vsyscall_64.c} of Linux. Areas hang in a list up to 6.0 and in a maple tree from 6.1 on.
 */
public final class AddressMaps {

    private static final long READ = 1;
    private static final long WRITE = 2;
    private static final long EXECUTE = 4;
    private static final long MAY_SHARE = 128;
    private static final int MINOR_BITS = 20;
    private static final int PAGE_SHIFT = 12;

    /** MM_CONTEXT_HAS_VSYSCALL of x86, bit 1. */
    private static final long HAS_VSYSCALL = 2;

    private static final int NO_VSYSCALL = 2;

    private AddressMaps() {}

    /**
     * The areas of a task's process, ascending; none for a kernel thread or a zombie.
     *
     * @param task a {@code struct task_struct}
     */
    public static Walk<MemoryArea> of(KernelObject task) {
        Optional<KernelObject> found = task.get("mm").target();
        if (found.isEmpty()) {
            return Walk.of(List.of());
        }
        KernelObject mm = found.get();
        FilePaths paths = FilePaths.of(task);
        Walk<MemoryArea> areas = areas(mm).map(area -> read(area, mm, paths));
        Optional<MemoryArea> gate = gate(mm, paths);
        if (gate.isEmpty()) {
            return areas;
        }
        List<MemoryArea> all = new ArrayList<>(areas.items());
        all.add(gate.get());
        return new Walk<>(all, areas.complete(), areas.problems());
    }

    private static Walk<KernelObject> areas(KernelObject mm) {
        Linux linux = mm.linux();
        if (mm.has("mm_mt")) {
            return mm.get("mm_mt").mapleTree().map(entry -> linux.object("struct vm_area_struct", entry.entry()));
        }
        Steps<KernelObject> steps = new Steps<>(Walk.LIMIT);
        KernelObject next = mm.get("mmap");
        try {
            while (!next.isNull() && steps.visit(next.asLong())) {
                KernelObject area = next.dereference();
                next = area.get("vm_next");
                steps.found(area);
            }
        } catch (GuestcoreException e) {
            steps.broken(next.address(), e);
        }
        return steps.end();
    }

    private static MemoryArea read(KernelObject area, KernelObject mm, FilePaths paths) {
        long flags = area.getLong("vm_flags");
        Optional<KernelObject> file = area.get("vm_file").target();
        Optional<KernelObject> inode = file.flatMap(each -> each.get("f_inode").target());
        long device = inode.map(each -> each.getLong("i_sb.s_dev")).orElse(0L);
        return new MemoryArea(
                area,
                area.getLong("vm_start"),
                area.getLong("vm_end"),
                (flags & READ) != 0,
                (flags & WRITE) != 0,
                (flags & EXECUTE) != 0,
                (flags & MAY_SHARE) != 0,
                file.isPresent() ? area.getLong("vm_pgoff") << PAGE_SHIFT : 0,
                (int) (device >>> MINOR_BITS),
                (int) (device & (1 << MINOR_BITS) - 1),
                inode.map(each -> each.getLong("i_ino")).orElse(0L),
                name(area, mm, file, paths));
    }

    private static String name(
            KernelObject area, KernelObject mm, Optional<KernelObject> file, FilePaths paths) {
        Optional<String> given = given(area, file.isPresent());
        if (file.isPresent()) {
            return given.map(each -> "[anon_shmem:" + each + "]")
                    .orElseGet(() -> paths.name(file.get().get("f_path")));
        }
        long start = area.getLong("vm_start");
        long end = area.getLong("vm_end");
        return special(area).or(() -> given.map(each -> "[anon:" + each + "]")).orElseGet(() -> {
            if (isWithin(start, mm.getLong("brk")) && isWithin(mm.getLong("start_brk"), end)) {
                return "[heap]";
            }
            long stack = mm.getLong("start_stack");
            return isWithin(start, stack) && isWithin(stack, end) ? "[stack]" : "";
        });
    }

    private static boolean isWithin(long low, long high) {
        return Long.compareUnsigned(low, high) <= 0;
    }

    /** A name that the process gave it (PR_SET_VMA_ANON_NAME). Up to 6.1 an area of a file has something else in that place. */
    private static Optional<String> given(KernelObject area, boolean ofFile) {
        if (!area.has("anon_name") || ofFile && area.get("anon_name").address() == area.get("shared").address()) {
            return Optional.empty();
        }
        return area.get("anon_name").target().map(each -> each.get("name").string());
    }

    /** What the kernel itself maps: vdso, vvar. */
    private static Optional<String> special(KernelObject area) {
        Linux linux = area.linux();
        long operations = area.getLong("vm_ops");
        boolean isSpecial = operations != 0
                && linux.symbols()
                        .find("special_mapping_vmops")
                        .map(Symbol::address)
                        .filter(address -> address == operations)
                        .isPresent();
        return isSpecial
                ? Optional.of(linux.object("struct vm_special_mapping", area.getLong("vm_private_data"))
                        .get("name")
                        .string())
                : Optional.empty();
    }

    /** The page of old system calls of x86-64, which is in no process's list. */
    private static Optional<MemoryArea> gate(KernelObject mm, FilePaths paths) {
        Linux linux = mm.linux();
        Optional<Symbol> gate = linux.symbols().find("gate_vma");
        Optional<Symbol> mode = linux.symbols().find("vsyscall_mode");
        boolean seen = gate.isPresent()
                && mode.isPresent()
                && linux.memory().readInt(mode.get().address()) != NO_VSYSCALL
                && mm.has("context.flags")
                && (mm.getLong("context.flags") & HAS_VSYSCALL) != 0;
        if (!seen) {
            return Optional.empty();
        }
        KernelObject area = linux.object("struct vm_area_struct", gate.get().address());
        MemoryArea read = read(area, mm, paths);
        return Optional.of(new MemoryArea(
                area, read.start(), read.end(), read.readable(), read.writable(), read.executable(), false, 0, 0, 0, 0,
                "[vsyscall]"));
    }
}

package dev.guestcore.linux.export;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.StatusLayout;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Stacks;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import dev.guestcore.linux.UserRegisters;
import dev.guestcore.linux.types.KernelConstant;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The notes of a process's core, in the order of {@code fs/binfmt_elf.c} of Linux. Layouts: {@code include/linux/elfcore.h}
 * ({@code struct elf_prstatus}, {@code elf_prpsinfo}), and for the files {@code fill_files_note}. Not thread-safe.
 */
final class ProcessNotes {

    private static final int PRSTATUS = 1;
    private static final int PRPSINFO = 3;
    private static final int AUXV = 6;
    private static final int FILES = 0x46494c45;

    private static final int PARENT = 36;
    private static final int GROUP = 40;
    private static final int SESSION = 44;
    private static final int SYSTEM_CALL = 112 + 15 * Long.BYTES;

    /** The code segment of 32-bit programs on 64-bit kernels (__USER32_CS). */
    private static final long CODE_32 = 0x23;

    private static final String STATES = "RSDTtXZPI";
    private static final int NAME_BYTES = 16;
    private static final int ARGUMENT_BYTES = 80;
    private static final int USUAL_PRIORITY = 120;
    private static final int PAGE = 4096;

    /** As much as the kernel writes by itself. */
    private static final int MOST_FILES = 4 << 20;

    private final Task task;
    private final List<String> problems;
    private final Bytes bytes = new Bytes();
    private int threads;

    /**
     * Makes them.
     *
     * @param tasks among which the other threads are
     * @param task the thread that comes first
     * @param areas of the process
     * @param problems takes what cannot be told
     * @throws LinuxException if it is no 64-bit program
     */
    ProcessNotes(Tasks tasks, Task task, List<MemoryArea> areas, List<String> problems) {
        this.task = task;
        this.problems = problems;
        Stacks stacks = task.object().linux().stacks();
        List<Task> others = tasks.stream()
                .filter(each -> each.tgid() == task.tgid() && each.pid() != task.pid() && !each.isIdle())
                .sorted(Comparator.comparingInt(Task::pid))
                .toList();
        status(task, stacks);
        attempt("NT_PRPSINFO", this::process);
        attempt("NT_AUXV", this::auxiliaryVector);
        attempt("NT_FILE", () -> files(areas));
        others.forEach(other -> status(other, stacks));
    }

    byte[] bytes() {
        return bytes.toArray();
    }

    /** How many threads have registers. */
    int threads() {
        return threads;
    }

    /** Leaves out a note that cannot be made, and says so. */
    private void attempt(String name, Runnable making) {
        try {
            making.run();
        } catch (MemoryAccessException e) {
            problems.add("the note " + name + " is left out: " + e.getMessage());
        }
    }

    private void note(int type, byte[] content) {
        bytes.u32("CORE".length() + 1)
                .u32(content.length)
                .u32(type)
                .text("CORE")
                .align(4, 0)
                .bytes(content)
                .align(4, 0);
    }

    private void status(Task thread, Stacks stacks) {
        UserRegisters found;
        try {
            found = UserRegisters.of(thread, stacks);
        } catch (LinuxException e) {
            problems.add(String.valueOf(e.getMessage()));
            return;
        }
        RegisterState registers = found.registers();
        if (registers.getOrElse(X86.CS, 0) == CODE_32) {
            throw new LinuxException(
                    "process " + task.tgid() + " is a 32-bit program; cores are written of 64-bit ones only");
        }
        StatusLayout layout = Architectures.X86.status(X86Architecture.X86_64).orElseThrow();
        byte[] status = layout.write(thread.pid(), registers, ByteOrder.LITTLE_ENDIAN);
        ByteBuffer.wrap(status)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(PARENT, thread.parent())
                .putInt(GROUP, number("PIDTYPE_PGID"))
                .putInt(SESSION, number("PIDTYPE_SID"))
                .putLong(SYSTEM_CALL, found.systemCall());
        note(PRSTATUS, status);
        threads++;
    }

    /** The number of the process group or of the session; 0 if this kernel keeps it elsewhere. */
    private int number(String kind) {
        KernelObject object = task.object();
        Optional<Long> index = object.linux().requireTypes().find("enum pid_type").stream()
                .flatMap(type -> type.constants().stream())
                .filter(constant -> constant.name().equals(kind))
                .map(KernelConstant::value)
                .findFirst();
        if (index.isEmpty() || !object.has("signal.pids")) {
            return 0;
        }
        return object.get("signal.pids")
                .index(index.get())
                .target()
                .map(pid -> pid.getInt("numbers[0].nr"))
                .orElse(0);
    }

    private void process() {
        KernelObject object = task.object();
        Bytes info = new Bytes();
        info.u8(Math.max(0, STATES.indexOf(task.state())))
                .u8(task.state())
                .u8(task.state() == 'Z' ? 1 : 0)
                .u8(object.getInt("static_prio") - USUAL_PRIORITY)
                .u32(0)
                .u64(object.getLong("flags"))
                .u32(task.uid().orElse(0))
                .u32(task.gid().orElse(0))
                .u32(task.tgid())
                .u32(task.parent())
                .u32(number("PIDTYPE_PGID"))
                .u32(number("PIDTYPE_SID"))
                .bytes(object.get("comm").bytes(NAME_BYTES));
        byte[] arguments = String.join(" ", task.arguments().orElse(List.of())).getBytes(StandardCharsets.UTF_8);
        byte[] shown = Arrays.copyOf(arguments, ARGUMENT_BYTES);
        shown[ARGUMENT_BYTES - 1] = 0;
        note(PRPSINFO, info.bytes(shown).toArray());
    }

    private void auxiliaryVector() {
        Bytes vector = new Bytes();
        List<KernelObject> words = task.object().get("mm.saved_auxv").elements();
        for (int i = 0; i + 1 < words.size(); i += 2) {
            vector.u64(words.get(i).asLong()).u64(words.get(i + 1).asLong());
            if (words.get(i).asLong() == 0) {
                break;
            }
        }
        note(AUXV, vector.toArray());
    }

    private void files(List<MemoryArea> areas) {
        List<MemoryArea> ofFiles = new ArrayList<>();
        Bytes names = new Bytes();
        int size = 0;
        for (MemoryArea area : areas) {
            if (area.object().get("vm_file").isNull()) {
                continue;
            }
            size += area.name().length() + 1 + 3 * Long.BYTES;
            if (size > MOST_FILES) {
                problems.add(
                        "the names of mapped files take more than " + MOST_FILES + " bytes; the others are left out");
                break;
            }
            ofFiles.add(area);
            names.text(area.name());
        }
        Bytes table = new Bytes();
        table.u64(ofFiles.size()).u64(PAGE);
        for (MemoryArea area : ofFiles) {
            table.u64(area.start()).u64(area.end()).u64(area.offset() / PAGE);
        }
        note(FILES, table.append(names).toArray());
    }
}

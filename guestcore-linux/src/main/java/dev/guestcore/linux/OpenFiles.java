package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import java.util.List;
import java.util.Optional;

/**
 * The files that a process has open. Sources: {@code include/linux/fdtable.h}, {@code fs/file.c}, {@code include/linux/fs.h},
 * {@code include/uapi/linux/stat.h} of Linux.
 */
public final class OpenFiles {

    static final int TYPE_MASK = 0xf000;
    private static final long FMODE_READ = 1;
    private static final long FMODE_WRITE = 2;

    private OpenFiles() {}

    /**
     * The open files of a task's process, ascending by descriptor; none for a kernel thread or a zombie.
     *
     * @param task a {@code struct task_struct}
     */
    public static Walk<OpenFile> of(KernelObject task) {
        FilePaths paths = FilePaths.of(task);
        return files(task).map(open -> read(open.descriptor, open.file, paths));
    }

    /** A descriptor and its {@code struct file}. */
    record Open(int descriptor, KernelObject file) {}

    /** The same without names. */
    static Walk<Open> files(KernelObject task) {
        Optional<KernelObject> files = task.get("files").target();
        if (files.isEmpty()) {
            return Walk.of(List.of());
        }
        KernelObject table = files.get().get("fdt").dereference();
        Steps<Open> steps = new Steps<>(Walk.LIMIT);
        long most = table.getLong("max_fds");
        if (most > Walk.LIMIT) {
            steps.broken("the table at 0x" + Long.toHexString(table.address()) + " has room for " + most
                    + " files; the first " + Walk.LIMIT + " were looked at");
            most = Walk.LIMIT;
        }
        KernelObject bits = table.get("open_fds");
        KernelObject pointers = table.get("fd");
        int width = (int) bits.type().resolved().target().orElseThrow().size() * Byte.SIZE;
        for (long word = 0; word * width < most; word++) {
            try {
                add(bits.index(word).asLong(), (int) word * width, pointers, steps);
            } catch (GuestcoreException e) {
                steps.broken(table.address(), e);
                break;
            }
        }
        return steps.end();
    }

    private static void add(long word, int first, KernelObject pointers, Steps<Open> steps) {
        for (long rest = word; rest != 0; rest &= rest - 1) {
            int descriptor = first + Long.numberOfTrailingZeros(rest);
            // A descriptor that is being opened has no file yet.
            pointers.index(descriptor).target().ifPresent(file -> steps.found(new Open(descriptor, file)));
        }
    }

    private static OpenFile read(int descriptor, KernelObject file, FilePaths paths) {
        KernelObject inode = file.get("f_inode").dereference();
        OpenFile.Kind kind = kind(inode.getInt("i_mode") & TYPE_MASK);
        return new OpenFile(
                descriptor,
                file,
                paths.name(file.get("f_path")),
                kind,
                access(file.getLong("f_mode")),
                file.getLong("f_pos"),
                inode.getLong("i_ino"),
                kind == OpenFile.Kind.REGULAR ? Optional.of(inode.getLong("i_size")) : Optional.empty());
    }

    static OpenFile.Kind kind(int type) {
        return switch (type) {
            case 0x1000 -> OpenFile.Kind.PIPE;
            case 0x2000 -> OpenFile.Kind.CHARACTER_DEVICE;
            case 0x4000 -> OpenFile.Kind.DIRECTORY;
            case 0x6000 -> OpenFile.Kind.BLOCK_DEVICE;
            case 0x8000 -> OpenFile.Kind.REGULAR;
            case 0xa000 -> OpenFile.Kind.LINK;
            case 0xc000 -> OpenFile.Kind.SOCKET;
            default -> OpenFile.Kind.ANONYMOUS;
        };
    }

    private static OpenFile.Access access(long mode) {
        boolean read = (mode & FMODE_READ) != 0;
        boolean write = (mode & FMODE_WRITE) != 0;
        if (read) {
            return write ? OpenFile.Access.READ_WRITE : OpenFile.Access.READ;
        }
        return write ? OpenFile.Access.WRITE : OpenFile.Access.NONE;
    }
}

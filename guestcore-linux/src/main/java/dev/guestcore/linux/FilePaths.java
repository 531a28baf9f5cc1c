package dev.guestcore.linux;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Names of files, as {@code readlink /proc/PID/fd/N} has them: up the directories, and from the root of each mount on at the place
 * where it is mounted. Source: {@code fs/d_path.c} of Linux; names of files without directories: {@code pipefs_dname},
 * {@code sockfs_dname}, {@code anon_inodefs_dname}, {@code ns_dname}, {@code simple_dname}.
 */
final class FilePaths {

    /** PATH_MAX; paths may be longer, but nobody can open them by name. */
    private static final int LONGEST = 4096;

    private static final int LONGEST_NAME = 255;
    private static final int MOST_STEPS = 4096;

    private final Linux linux;
    /** The root that the process sees; null addresses for the root of all. */
    private final long rootMount;

    private final long rootDentry;

    private FilePaths(Linux linux, long rootMount, long rootDentry) {
        this.linux = linux;
        this.rootMount = rootMount;
        this.rootDentry = rootDentry;
    }

    /** As the whole system sees them. */
    static FilePaths of(Linux linux) {
        return new FilePaths(linux, 0, 0);
    }

    /** As a task sees them, which may have another root. */
    static FilePaths of(KernelObject task) {
        Optional<KernelObject> fs = task.get("fs").target();
        return fs.map(found -> new FilePaths(
                task.linux(), found.getLong("root.mnt"), found.getLong("root.dentry")))
                .orElseGet(() -> of(task.linux()));
    }

    /**
     * A path.
     *
     * @param text its text
     * @param reachable whether it begins at the root that it was asked for
     */
    record Name(String text, boolean reachable) {}

    /** The name of what a {@code struct path} names. */
    String name(KernelObject path) {
        KernelObject dentry = path.get("dentry").dereference();
        return special(dentry).orElseGet(() -> ordinary(path, dentry));
    }

    private String ordinary(KernelObject path, KernelObject dentry) {
        Optional<KernelObject> mount = path.get("mnt").target();
        boolean loose = dentry.getLong("d_parent") == dentry.address();
        boolean isRoot = mount.map(mnt -> mnt.getLong("mnt_root") == dentry.address()).orElse(true);
        if (loose && !isRoot) {
            // Made without a directory: memfd, shared memory.
            return "/" + text(dentry) + " (deleted)";
        }
        String name = mount.map(mnt -> walk(mnt.address(), dentry.address()).text)
                .orElseGet(() -> within(dentry));
        return !loose && dentry.getLong("d_hash.pprev") == 0 ? name + " (deleted)" : name;
    }

    /** The place where a mount is seen. */
    Name mountPoint(KernelObject mount) {
        KernelObject mnt = mount.get("mnt");
        return walk(mnt.address(), mnt.getLong("mnt_root"));
    }

    /** The path of a directory within its file system. */
    String within(KernelObject dentry) {
        List<String> parts = new ArrayList<>();
        KernelObject at = dentry;
        for (int i = 0; i < MOST_STEPS; i++) {
            KernelObject parent = at.get("d_parent").dereference();
            if (parent.address() == at.address()) {
                return joined(parts);
            }
            parts.addFirst(text(at));
            at = parent;
        }
        throw endless(dentry.address());
    }

    private Name walk(long vfsmount, long start) {
        List<String> parts = new ArrayList<>();
        KernelObject mnt = linux.object("struct vfsmount", vfsmount);
        KernelObject dentry = linux.object("struct dentry", start);
        int length = 0;
        for (int i = 0; i < MOST_STEPS && length < LONGEST; i++) {
            if (mnt.address() == rootMount && dentry.address() == rootDentry) {
                return new Name(joined(parts), true);
            }
            if (dentry.address() == mnt.getLong("mnt_root")) {
                KernelObject mount = mnt.containerOf("struct mount", "mnt");
                KernelObject above = mount.get("mnt_parent").dereference();
                if (above.address() == mount.address()) {
                    return new Name(joined(parts), rootMount == 0);
                }
                dentry = mount.get("mnt_mountpoint").dereference();
                mnt = above.get("mnt");
                continue;
            }
            KernelObject parent = dentry.get("d_parent").dereference();
            String part = text(dentry);
            parts.addFirst(part);
            length += part.length() + 1;
            if (parent.address() == dentry.address()) {
                return new Name(joined(parts), false);
            }
            dentry = parent;
        }
        throw endless(start);
    }

    private static LinuxException endless(long dentry) {
        return new LinuxException("the directories above the dentry at 0x" + Long.toHexString(dentry)
                + " do not end; memory is damaged or was copied while the guest ran");
    }

    private static String joined(List<String> parts) {
        return parts.isEmpty() ? "/" : "/" + String.join("/", parts);
    }

    private String text(KernelObject dentry) {
        int length = (int) Math.min(dentry.getLong("d_name.len") & 0xffff_ffffL, LONGEST_NAME);
        byte[] bytes = new byte[length];
        linux.memory().read(dentry.getLong("d_name.name"), bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** Files that are in no directory have names of their own kind. */
    private Optional<String> special(KernelObject dentry) {
        String type = dentry.get("d_sb.s_type.name").string();
        return switch (type) {
            case "sockfs" -> Optional.of("socket:[" + inode(dentry) + "]");
            case "pipefs" -> Optional.of("pipe:[" + inode(dentry) + "]");
            case "anon_inodefs" -> Optional.of("anon_inode:" + text(dentry));
            case "nsfs" -> Optional.of(namespace(dentry) + ":[" + inode(dentry) + "]");
            default -> Optional.empty();
        };
    }

    private static String inode(KernelObject dentry) {
        return Long.toUnsignedString(dentry.getLong("d_inode.i_ino"));
    }

    private String namespace(KernelObject dentry) {
        long operations = dentry.getLong("d_fsdata");
        if (operations == 0) {
            KernelObject common = linux.object("struct ns_common", dentry.getLong("d_inode.i_private"));
            operations = common.getLong("ops");
        }
        return linux.object("struct proc_ns_operations", operations).get("name").string();
    }
}

package dev.guestcore.linux;

import java.util.ArrayList;
import java.util.List;

/**
 * The mounted file systems of a mount namespace. Sources: {@code fs/proc_namespace.c}, {@code fs/mount.h},
 * {@code include/linux/mount.h} and {@code fs.h} of Linux. Mounts hang in a list up to 6.7 and in a tree from 6.8 on.
 */
public final class Mounts {

    /** Flags of a mount (MNT_*). */
    private static final List<Flag> MOUNT_FLAGS = List.of(
            new Flag(1, "nosuid"),
            new Flag(2, "nodev"),
            new Flag(4, "noexec"),
            new Flag(8, "noatime"),
            new Flag(16, "nodiratime"),
            new Flag(32, "relatime"),
            new Flag(128, "nosymfollow"));

    /** Flags of a file system (SB_*). */
    private static final List<Flag> SUPER_FLAGS = List.of(
            new Flag(16, "sync"), new Flag(128, "dirsync"), new Flag(64, "mand"), new Flag(1 << 25, "lazytime"));

    private static final long MOUNT_READ_ONLY = 64;
    private static final long SUPER_READ_ONLY = 1;
    private static final int MINOR_BITS = 20;

    private Mounts() {}

    private record Flag(long bit, String name) {}

    /**
     * The mounts that a task sees. Those above its root are left out.
     *
     * @param task a {@code struct task_struct}
     * @throws LinuxException if it has no namespaces, as a zombie
     */
    public static Walk<Mount> of(KernelObject task) {
        KernelObject namespace = task.get("nsproxy")
                .target()
                .orElseThrow(() -> new LinuxException("the task has given up its namespaces: it is a zombie"))
                .get("mnt_ns")
                .dereference();
        FilePaths paths = FilePaths.of(task);
        Walk<KernelObject> mounts = namespace.has("mounts.rb_node")
                ? namespace.get("mounts").tree("struct mount", mountNode(task.linux()))
                : namespace.get("list").list("struct mount", "mnt_list");
        return mounts.flatMap(mount -> {
            FilePaths.Name point = paths.mountPoint(mount);
            return point.reachable() ? List.of(read(mount, point.text(), paths)) : List.of();
        }).about("mounts");
    }

    private static String mountNode(Linux linux) {
        return linux.type("struct mount").member("mnt_node").isPresent() ? "mnt_node" : "mnt_list";
    }

    private static Mount read(KernelObject mount, String point, FilePaths paths) {
        KernelObject superBlock = mount.get("mnt.mnt_sb").dereference();
        long device = superBlock.getLong("s_dev");
        String type = superBlock.get("s_type.name").string();
        String subtype = superBlock.getAny("s_subtype")
                .flatMap(KernelObject::target)
                .map(text -> superBlock.get("s_subtype").string())
                .orElse("");
        KernelObject source = mount.get("mnt_devname");
        return new Mount(
                mount,
                mount.getInt("mnt_id"),
                mount.getInt("mnt_parent.mnt_id"),
                (int) (device >>> MINOR_BITS),
                (int) (device & (1 << MINOR_BITS) - 1),
                paths.within(mount.get("mnt.mnt_root").dereference()),
                point,
                options(mount.getLong("mnt.mnt_flags"), MOUNT_READ_ONLY, MOUNT_FLAGS),
                subtype.isEmpty() ? type : type + "." + subtype,
                source.isNull() ? "none" : source.string(),
                options(superBlock.getLong("s_flags"), SUPER_READ_ONLY, SUPER_FLAGS));
    }

    private static List<String> options(long flags, long readOnly, List<Flag> known) {
        List<String> options = new ArrayList<>();
        options.add((flags & readOnly) != 0 ? "ro" : "rw");
        known.stream().filter(flag -> (flags & flag.bit) != 0).forEach(flag -> options.add(flag.name));
        return options;
    }
}

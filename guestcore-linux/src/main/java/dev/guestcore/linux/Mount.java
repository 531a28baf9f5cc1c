package dev.guestcore.linux;

import java.util.List;
import java.util.Objects;

/**
 * A mounted file system, as a line of {@code /proc/PID/mountinfo} tells.
 *
 * @param object its {@code struct mount}
 * @param id its number
 * @param parent the number of the mount that it is mounted on; its own for the topmost
 * @param major the major number of the device that files have
 * @param minor the minor number of that
 * @param root the directory of the file system that is shown
 * @param point where it is mounted, for the process that was asked
 * @param options of this mount: {@code rw} or {@code ro} first
 * @param type of the file system
 * @param source what is mounted: a device or a name
 * @param fileSystemOptions of the file system itself: {@code rw} or {@code ro} first; without those that only the file
 *     system's own code knows
 */
public record Mount(
        KernelObject object,
        int id,
        int parent,
        int major,
        int minor,
        String root,
        String point,
        List<String> options,
        String type,
        String source,
        List<String> fileSystemOptions) {

    /** Copies the lists. */
    public Mount {
        Objects.requireNonNull(object);
        Objects.requireNonNull(root);
        Objects.requireNonNull(point);
        options = List.copyOf(options);
        Objects.requireNonNull(type);
        Objects.requireNonNull(source);
        fileSystemOptions = List.copyOf(fileSystemOptions);
    }
}

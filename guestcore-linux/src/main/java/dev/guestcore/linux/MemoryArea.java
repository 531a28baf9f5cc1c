package dev.guestcore.linux;

import java.util.Objects;

/**
 * A range of a process's addresses, as a line of {@code /proc/PID/maps} tells.
 *
 * @param object its {@code struct vm_area_struct}
 * @param start first virtual address
 * @param end the address behind the last one
 * @param readable whether the process may read it
 * @param writable whether the process may write it
 * @param executable whether the process may run code in it
 * @param shared whether writes are seen by others who map the same
 * @param offset where in the file it begins, in bytes; 0 without a file
 * @param major the major number of the file's device, 0 without a file
 * @param minor the minor number of that
 * @param inode the inode number of the file, 0 without a file
 * @param name path of the file, or {@code [heap]}, {@code [stack]}, {@code [vdso]}, {@code [anon:…]}; empty for others
 */
public record MemoryArea(
        KernelObject object,
        long start,
        long end,
        boolean readable,
        boolean writable,
        boolean executable,
        boolean shared,
        long offset,
        int major,
        int minor,
        long inode,
        String name) {

    /** Checks for null. */
    public MemoryArea {
        Objects.requireNonNull(object);
        Objects.requireNonNull(name);
    }

    /** Its length in bytes. */
    public long size() {
        return end - start;
    }

    /** As {@code /proc/PID/maps} writes them: {@code r-xp}. */
    public String rights() {
        return (readable ? "r" : "-") + (writable ? "w" : "-") + (executable ? "x" : "-") + (shared ? "s" : "p");
    }
}

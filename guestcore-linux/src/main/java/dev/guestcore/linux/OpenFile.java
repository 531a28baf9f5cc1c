package dev.guestcore.linux;

import java.util.Objects;
import java.util.Optional;

/**
 * A file that a process has open.
 *
 * @param descriptor its number in the process
 * @param object its {@code struct file}
 * @param name as {@code readlink /proc/PID/fd/N} has it: a path that the process sees, {@code socket:[10275]},
 *     {@code anon_inode:[eventfd]}; a file that was deleted ends with {@code  (deleted)}
 * @param kind what it is
 * @param access how it was opened
 * @param position where the process reads or writes next, in bytes
 * @param inode its inode number
 * @param size bytes, of a regular file
 */
public record OpenFile(
        int descriptor,
        KernelObject object,
        String name,
        Kind kind,
        Access access,
        long position,
        long inode,
        Optional<Long> size) {

    /** What a file is, by the mode of its inode. */
    public enum Kind {
        /** A regular file. */
        REGULAR,
        /** A directory. */
        DIRECTORY,
        /** A character device. */
        CHARACTER_DEVICE,
        /** A block device. */
        BLOCK_DEVICE,
        /** A pipe, with or without a name. */
        PIPE,
        /** A socket. */
        SOCKET,
        /** A symbolic link (O_PATH). */
        LINK,
        /** What the kernel makes without a file: eventfd, epoll, timerfd and so on. */
        ANONYMOUS
    }

    /** How a file was opened. */
    public enum Access {
        /** To read. */
        READ,
        /** To write. */
        WRITE,
        /** For both. */
        READ_WRITE,
        /** For neither (O_PATH). */
        NONE
    }

    /** Checks for null. */
    public OpenFile {
        Objects.requireNonNull(object);
        Objects.requireNonNull(name);
        Objects.requireNonNull(kind);
        Objects.requireNonNull(access);
        Objects.requireNonNull(size);
    }
}

package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.address.AddressSpace;
import java.util.Objects;
import java.util.Optional;

/**
 * Where the running kernel is, and which it is.
 *
 * @param virtualBase virtual address of {@code _text}, KASLR included
 * @param physicalBase guest-physical address of the same byte; the image is contiguous in physical memory
 * @param size bytes from {@code _text} to {@code _end}
 * @param slide bytes by which KASLR moved the image from the address it was linked for
 * @param banner the line that {@code /proc/version} shows
 * @param release what {@code uname -r} says
 * @param buildId the build ID of the kernel's file, in hexadecimal digits
 * @param space the kernel's own address space
 * @param how how it was found, for the user
 */
public record KernelImage(
        long virtualBase,
        long physicalBase,
        long size,
        long slide,
        Optional<String> banner,
        Optional<String> release,
        Optional<String> buildId,
        AddressSpace space,
        String how) {

    /** Checks for null. */
    public KernelImage {
        Objects.requireNonNull(banner);
        Objects.requireNonNull(release);
        Objects.requireNonNull(buildId);
        Objects.requireNonNull(space);
        Objects.requireNonNull(how);
    }

    /** Its virtual addresses. */
    public AddressRange range() {
        return AddressRange.ofSize(virtualBase, size);
    }

    /** Guest-physical address of a place in the image. */
    public long physical(long virtual) {
        return virtual - virtualBase + physicalBase;
    }
}

package dev.guestcore.linux;

import dev.guestcore.address.AddressSpace;
import java.util.Objects;

/**
 * Where the running kernel is.
 *
 * @param virtualBase virtual address of {@code _text}, KASLR included
 * @param physicalBase guest-physical address of the same byte; the image is contiguous in physical memory
 * @param size bytes from {@code _text} to {@code _end}
 * @param slide bytes by which KASLR moved the image from the address it was linked for
 * @param space the kernel's own address space
 * @param how how it was found, for the user
 */
public record KernelImage(
        long virtualBase, long physicalBase, long size, long slide, AddressSpace space, String how) {

    /** Checks for null. */
    public KernelImage {
        Objects.requireNonNull(space);
        Objects.requireNonNull(how);
    }
}

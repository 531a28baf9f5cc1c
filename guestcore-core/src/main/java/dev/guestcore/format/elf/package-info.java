/**
 * ELF cores of machines, as QEMU, libvirt, the Linux kernel and makedumpfile write them: read in every variant, written in
 * the one that all readers take.
 */
@NullMarked
package dev.guestcore.format.elf;

import org.jspecify.annotations.NullMarked;

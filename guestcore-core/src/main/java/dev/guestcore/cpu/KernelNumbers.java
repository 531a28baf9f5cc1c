package dev.guestcore.cpu;

import java.util.Optional;
import java.util.OptionalLong;

/** What a kernel says of itself in VMCOREINFO (documentation of Linux, admin-guide/kdump/vmcoreinfo). */
public interface KernelNumbers {

    /** The value of a key ({@code PAGESIZE}). */
    Optional<String> value(String key);

    /** {@code SYMBOL(name)}: the virtual address of a symbol. */
    OptionalLong symbol(String name);

    /** {@code NUMBER(name)}: a number, possibly negative. */
    OptionalLong number(String name);
}

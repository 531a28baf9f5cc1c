package dev.guestcore.cpu;

import java.util.List;
import java.util.Set;

/**
 * A machine as ELF files and Linux name it. One architecture may have several, as x86 has 386 and x86-64; and one machine may
 * be shared by two architectures that differ in the width of addresses, as RISC-V is. Immutable.
 *
 * @param code e_machine (values as in {@code elf.h})
 * @param label short name, as options of ours have it ("x86-64")
 * @param title what people call it ("AArch64")
 * @param linuxNames a regular expression of the names by which Linux calls it ({@code uname -m}, UTS_MACHINE and its
 *     variants)
 * @param statusSizes sizes that struct elf_prstatus has on it, with and without pr_fpvalid at its end (Linux,
 *     arch/&#42;/include/asm/elf.h)
 * @param vmcoreInfoKeys lines of VMCOREINFO that the code of this machine alone writes, up to the equals sign (Linux,
 *     arch/&#42;/kernel/vmcore_info.c)
 */
public record ElfMachine(
        int code,
        String label,
        String title,
        String linuxNames,
        Set<Integer> statusSizes,
        Set<String> vmcoreInfoKeys) {

    /** Copies the sets. */
    public ElfMachine {
        statusSizes = Set.copyOf(statusSizes);
        vmcoreInfoKeys = Set.copyOf(vmcoreInfoKeys);
    }

    /** A machine of whose notes nothing is known. */
    public ElfMachine(int code, String label, String title, String linuxNames) {
        this(code, label, title, linuxNames, Set.of(), Set.of());
    }

    /** The same machine, known by its notes as well. */
    public ElfMachine knownBy(List<Integer> sizesOfStatus, List<String> keysOfVmcoreInfo) {
        return new ElfMachine(
                code, label, title, linuxNames, Set.copyOf(sizesOfStatus), Set.copyOf(keysOfVmcoreInfo));
    }

    /** Whether Linux calls it so. */
    public boolean isLinuxName(String name) {
        return name.matches(linuxNames);
    }
}

package dev.guestcore.linux;

import java.util.List;
import java.util.Objects;
import java.util.Set;

/**
 * A module of the kernel.
 *
 * @param object its {@code struct module}
 * @param name its name
 * @param state {@code live}, {@code coming} while it is being loaded, {@code going} while it is being removed, {@code unformed}
 *     before it is loaded; a number if it is none of these
 * @param address virtual address of its code
 * @param size bytes of memory that it takes, as lsmod(8) counts them
 * @param references how many hold on to it: modules and others; 0 if none
 * @param usedBy names of the modules that use it
 * @param taints letters as /proc/modules has them: {@code O} out of tree, {@code E} unsigned, {@code P} proprietary; mostly
 *     empty
 * @param seenIn where the kernel knows it
 */
public record LoadedModule(
        KernelObject object,
        String name,
        String state,
        long address,
        long size,
        long references,
        List<String> usedBy,
        String taints,
        Set<Place> seenIn) {

    /** Where the kernel keeps modules. */
    public enum Place {
        /** The list of all modules, which /proc/modules shows. */
        LIST,
        /** The folder of all modules, /sys/module. */
        SYSFS,
        /** The list of the types of modules, of kernels that have it. */
        TYPES
    }

    /** Copies the lists. */
    public LoadedModule {
        Objects.requireNonNull(object);
        Objects.requireNonNull(name);
        Objects.requireNonNull(state);
        usedBy = List.copyOf(usedBy);
        Objects.requireNonNull(taints);
        seenIn = Set.copyOf(seenIn);
    }

    /** Whether the list of all modules lacks it though it is in memory: a sign of tampering, unless it is coming or going. */
    public boolean isHidden() {
        return !seenIn.contains(Place.LIST) && state.equals("live");
    }
}

package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfFinder;
import dev.guestcore.linux.types.KernelTypes;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Finds the description of types (BTF) in the kernel's image: by its symbols (include/asm-generic/vmlinux.lds.h of Linux since 5.7,
 * kernel/bpf/sysfs_btf.c of 5.4 to 5.6), or by searching the image.
 */
final class KernelTypesReader {

    private record Bounds(String start, String end) {}

    private static final List<Bounds> BOUNDS = List.of(
            new Bounds("__start_BTF", "__stop_BTF"),
            new Bounds("_binary__btf_vmlinux_bin_start", "_binary__btf_vmlinux_bin_end"));

    private final GuestMemory physical;
    private final KernelImage image;
    private final GuestMemory memory;
    private final KernelSymbols symbols;
    private @Nullable String problem;

    KernelTypesReader(GuestMemory physical, KernelImage image, GuestMemory memory, KernelSymbols symbols) {
        this.physical = physical;
        this.image = image;
        this.memory = memory;
        this.symbols = symbols;
    }

    /** Why there are none, for the user. */
    String why() {
        return problem != null
                ? problem
                : "the kernel holds no description of its types (BTF): it is older than 5.4, or was built without";
    }

    /** What is damaged, for the user. */
    List<String> damage() {
        return problem == null ? List.of() : List.of(problem);
    }

    Optional<KernelTypes> read() {
        for (Bounds bounds : BOUNDS) {
            Optional<Symbol> start = symbols.find(bounds.start);
            Optional<Symbol> end = symbols.find(bounds.end);
            if (start.isPresent() && end.isPresent()) {
                Optional<KernelTypes> types = at(start.get().address(), end.get().address());
                if (types.isPresent()) {
                    return types;
                }
            }
        }
        return BtfFinder.search(physical, AddressRange.ofSize(image.physicalBase(), image.size()))
                .map(place -> (KernelTypes) place.types())
                .findFirst();
    }

    private Optional<KernelTypes> at(long start, long end) {
        try {
            Btf types = BtfFinder.at(memory, start, end - start);
            types.damage().ifPresent(damage -> problem = "the kernel's description of its types (BTF): " + damage);
            return Optional.of(types);
        } catch (GuestcoreException e) {
            problem = "the kernel's description of its types (BTF) cannot be read: " + e.getMessage();
            return Optional.empty();
        }
    }
}

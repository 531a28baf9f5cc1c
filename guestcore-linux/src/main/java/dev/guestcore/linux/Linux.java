package dev.guestcore.linux;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.MergedSymbols;
import dev.guestcore.linux.types.KernelTypes;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * The Linux kernel that runs in a guest, as its memory shows it. What it gives is valid until the guest is closed. Safe for use
 * by several threads at once.
 */
public final class Linux {

    private final Guest guest;
    private final KernelImage image;
    private final GuestMemory memory;
    private final KernelSymbols symbols;
    private final Lazy<Types> types;
    private final Lazy<ModuleSymbolReader.Result> modules;

    /** The types, or why there are none. */
    private record Types(Optional<KernelTypes> found, String why) {}

    Linux(Guest guest, KernelImage image, GuestMemory memory, KernelSymbols kernel) {
        this.guest = Objects.requireNonNull(guest);
        this.image = Objects.requireNonNull(image);
        this.memory = Objects.requireNonNull(memory);
        this.types = new Lazy<>(() -> {
            KernelTypesReader reader = new KernelTypesReader(guest.memory(), image, memory, kernel);
            return new Types(reader.read(), reader.why());
        });
        this.modules = new Lazy<>(() -> ModuleSymbolReader.read(memory, kernel, types()));
        this.symbols = new MergedSymbols(kernel, () -> modules.get().symbols());
    }

    /**
     * The kernel of a guest.
     *
     * @throws LinuxException if none is found, or none whose page tables can be read
     */
    public static Linux of(Guest guest) {
        return of(guest, Progress.none());
    }

    /**
     * The kernel of a guest. Looks first where registers and notes of the dump lead, then searches all memory.
     *
     * @param progress of a search of memory; may cancel
     * @throws LinuxException if none is found, or none whose page tables can be read
     */
    public static Linux of(Guest guest, Progress progress) {
        KernelFinder finder = new KernelFinder(guest, progress);
        return finder.find().orElseThrow(() -> new LinuxException(finder.why()));
    }

    /** The kernel of a guest; empty if none is found, or none whose page tables can be read. */
    public static Optional<Linux> find(Guest guest) {
        return find(guest, Progress.none());
    }

    /**
     * The kernel of a guest; empty if none is found, or none whose page tables can be read.
     *
     * @param progress of a search of memory; may cancel
     */
    public static Optional<Linux> find(Guest guest, Progress progress) {
        return new KernelFinder(guest, progress).find();
    }

    /** The guest that it runs in. */
    public Guest guest() {
        return guest;
    }

    /** Where it is, and which it is. */
    public KernelImage image() {
        return image;
    }

    /** Memory by the kernel's virtual addresses. Pages that were read lately are kept, so small reads are cheap. */
    public GuestMemory memory() {
        return memory;
    }

    /** Its symbols, and those of its modules, which are read when they are needed first. */
    public KernelSymbols symbols() {
        return symbols;
    }

    /** What could not be read of the symbols of modules, for the user: one line each. */
    public List<String> symbolProblems() {
        return modules.get().problems();
    }

    /** Its types, which are read when they are needed first; empty if it holds no description of them. */
    public Optional<KernelTypes> types() {
        return types.get().found();
    }

    /**
     * Its types, for whoever cannot go on without.
     *
     * @throws LinuxException if it holds no description of them, or a damaged one
     */
    public KernelTypes requireTypes() {
        return types().orElseThrow(() -> new LinuxException(types.get().why()));
    }
}

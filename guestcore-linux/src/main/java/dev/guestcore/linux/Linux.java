package dev.guestcore.linux;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.types.KernelTypes;
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
    private final Optional<KernelTypes> types;

    Linux(Guest guest, KernelImage image, GuestMemory memory, KernelSymbols symbols, Optional<KernelTypes> types) {
        this.guest = Objects.requireNonNull(guest);
        this.image = Objects.requireNonNull(image);
        this.memory = Objects.requireNonNull(memory);
        this.symbols = Objects.requireNonNull(symbols);
        this.types = Objects.requireNonNull(types);
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

    /** Its symbols. */
    public KernelSymbols symbols() {
        return symbols;
    }

    /** Its types; empty if it holds no description of them (older than 5.4, or built without). */
    public Optional<KernelTypes> types() {
        return types;
    }
}

package dev.guestcore.linux;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.MergedSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.GlobalTypes;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * The Linux kernel that runs in a guest, as its memory shows it. What it gives is valid until the guest is closed. Safe for use
 * by several threads at once.
 */
public final class Linux {

    /** What the largest configuration allows (NR_CPUS). */
    private static final int MOST_CPUS = 8192;

    private final Guest guest;
    private final KernelImage image;
    private final GuestMemory memory;
    private final KernelSymbols symbols;
    private final Lazy<Types> types;
    private final Lazy<ModuleSymbolReader.Result> moduleSymbols;
    private final List<String> lost;

    /** The types, or why there are none; and what is damaged of them. */
    private record Types(Optional<KernelTypes> found, String why, List<String> damage) {}

    /** One whose types are looked for when they are needed; what is lost of its symbols is said. */
    Linux(Guest guest, KernelImage image, GuestMemory memory, KernelSymbols kernel, List<String> lost) {
        this.guest = Objects.requireNonNull(guest);
        this.image = Objects.requireNonNull(image);
        this.memory = Objects.requireNonNull(memory);
        this.types = new Lazy<>(() -> {
            KernelTypesReader reader = new KernelTypesReader(guest.memory(), image, memory, kernel);
            return new Types(reader.read(), reader.why(), reader.damage());
        });
        this.lost = List.copyOf(lost);
        this.moduleSymbols = new Lazy<>(() -> types().isPresent()
                ? ModuleSymbolReader.read(memory, kernel, requireTypes())
                : ModuleSymbolReader.none(types.get().why()));
        this.symbols = new MergedSymbols(kernel, () -> moduleSymbols.get().symbols());
    }

    /** One whose types are known. */
    Linux(Guest guest, KernelImage image, GuestMemory memory, KernelSymbols symbols, KernelTypes types) {
        this.guest = guest;
        this.image = image;
        this.memory = memory;
        this.symbols = symbols;
        this.lost = List.of();
        this.types = new Lazy<>(() -> new Types(Optional.of(types), "", List.of()));
        this.moduleSymbols = new Lazy<>(() -> ModuleSymbolReader.read(memory, symbols, types));
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
        return of(guest, progress, KernelCache.none());
    }

    /**
     * The same, first where it was found before.
     *
     * @param progress of a search of memory; may cancel
     * @param cache what is remembered of the dump, and will be
     * @throws LinuxException if none is found, or none whose page tables can be read
     */
    public static Linux of(Guest guest, Progress progress, KernelCache cache) {
        KernelFinder finder = new KernelFinder(guest, progress, cache);
        return finder.find().orElseThrow(() -> new LinuxException(named(guest, finder.why())));
    }

    /** The message with the source in front, if it has a name. */
    private static String named(Guest guest, String message) {
        String source = guest.provenance().source();
        return source.isEmpty() ? message : source + ": " + message;
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
        return find(guest, progress, KernelCache.none());
    }

    /**
     * The same, first where it was found before.
     *
     * @param progress of a search of memory; may cancel
     * @param cache what is remembered of the dump, and will be
     */
    public static Optional<Linux> find(Guest guest, Progress progress, KernelCache cache) {
        return new KernelFinder(guest, progress, cache).find();
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
        return moduleSymbols.get().problems();
    }

    /**
     * What is damaged or missing of the tables in which the kernel describes itself, for the user: one line each. What lies
     * there is not found, by any view. Types are looked at when they are needed first, and not before.
     */
    public List<String> problems() {
        List<String> problems = new ArrayList<>(lost);
        types.made().ifPresent(read -> problems.addAll(read.damage()));
        return problems;
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

    /**
     * A type by its name in C.
     *
     * @throws LinuxException if the kernel has none of this name, or no description of its types
     */
    public KernelType type(String name) {
        return requireTypes().find(name)
                .orElseThrow(() -> new LinuxException("this kernel has no type '" + name + "'"));
    }

    /** Whether a global or per-CPU variable can be given: both its place and its type are known. */
    public boolean hasVariable(String name) {
        return findVariable(name).isPresent();
    }

    /**
     * A global variable. Of a per-CPU variable, {@link KernelObject#perCpu} gives that of one processor.
     *
     * @throws LinuxException if the kernel does not have it, or nothing tells its type
     */
    public KernelObject variable(String name) {
        return findVariable(name).orElseThrow(() -> new LinuxException(symbols.find(name).isPresent()
                ? "nothing tells the type of '" + name + "' in this kernel; name it: object(TYPE, ADDRESS)"
                : "this kernel has no variable '" + name + "'" + (lost.isEmpty() ? "" : ", or its symbol is lost")));
    }

    /** The same where kernels differ. */
    public Optional<KernelObject> findVariable(String name) {
        return symbols.find(name)
                .flatMap(symbol -> GlobalTypes.of(requireTypes(), name).map(type -> object(type, symbol.address())));
    }

    /** A value at an address. */
    public KernelObject object(KernelType type, long address) {
        return new KernelObject(this, type, address, 0, 0);
    }

    /**
     * A value at an address.
     *
     * @throws LinuxException if the kernel has no type of this name
     */
    public KernelObject object(String type, long address) {
        return object(type(type), address);
    }

    /**
     * Its processes and threads, as they are now.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public Tasks tasks() {
        return Tasks.of(this);
    }

    /**
     * Its log, as it is now.
     *
     * @throws LinuxException if it cannot be found
     */
    public KernelLog log() {
        return KernelLog.of(this);
    }

    /**
     * Its modules, as they are now.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public Modules modules() {
        return Modules.of(this);
    }

    /**
     * The kernel stacks of its tasks and CPUs.
     *
     * @throws LinuxException if the kernel's types are not known, or lack something that tasks are found by
     */
    public Stacks stacks() {
        return Stacks.of(this);
    }

    /**
     * The sockets that its processes have open, ordered by the first of their owners; then those that only the tables of TCP and
     * UDP have.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public Walk<Socket> sockets() {
        return Sockets.of(this);
    }

    /**
     * Its network devices, in all network namespaces; those of the first namespace first.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public Walk<NetworkInterface> interfaces() {
        return Interfaces.of(this);
    }

    /**
     * What its memory is used for, as its own counters say.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public MemoryUse memoryUse() {
        return MemoryUse.of(this);
    }

    /** Its clock; empty if it is not found, or holds what no clock shows. */
    public Optional<KernelClock> clock() {
        return KernelClock.of(this);
    }

    /**
     * Its interrupts: those that have a handler or ever came, by number; then those of the processor's own that ever came.
     *
     * @throws LinuxException if the kernel has no description of its types, or nothing leads to its interrupts
     */
    public Walk<Interrupt> interrupts() {
        return Interrupts.of(this);
    }

    /**
     * Signs of tampering and of trouble in it.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    public KernelCheck check() {
        return KernelCheck.of(this);
    }

    /** Bytes of a pointer. */
    int pointerSize() {
        return requireTypes().pointerSize();
    }

    /** The pointer at an address. */
    long pointerAt(long address) {
        return pointerSize() == Long.BYTES ? memory.readLong(address) : Integer.toUnsignedLong(memory.readInt(address));
    }

    /** How far the per-CPU variables of a processor lie from their symbols; 0 on a kernel for one processor. */
    long perCpuOffset(int cpu) {
        if (cpu < 0 || cpu >= MOST_CPUS) {
            throw new LinuxException("there is no processor " + cpu + "; expected 0 to " + (MOST_CPUS - 1));
        }
        Optional<Symbol> offsets = symbols.find("__per_cpu_offset");
        if (offsets.isEmpty()) {
            if (cpu == 0) {
                return 0;
            }
            throw new LinuxException("there is no processor " + cpu + ": the kernel was built for one");
        }
        return pointerAt(offsets.get().address() + (long) cpu * pointerSize());
    }
}

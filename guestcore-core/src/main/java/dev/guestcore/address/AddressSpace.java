package dev.guestcore.address;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.internal.memory.RemappedMemory;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * Memory as one vCPU's page tables map it. Thread-safe; valid until its guest is closed.
 *
 * <p>Page tables come from the guest and are not trusted: a walk takes at most six steps, and a pass over all tables
 * reads at most {@link #MOST_TABLES} of them.
 *
 * <pre>{@code
 * AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
 * space.translate(0xffffffff81000000L).steps().forEach(System.out::println);
 * space.memory().read(0xffffffff81000000L, bytes);
 * space.mappings(System.out::println);
 * }</pre>
 */
public final class AddressSpace {

    /** How many tables {@link #mappings(Consumer)} reads before it gives up: enough to map 4 TiB in 4 KiB pages. */
    public static final long MOST_TABLES = 1L << 21;

    /** All addresses. */
    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);

    private final GuestMemory memory;
    private final PhysicalAddress.Space space;
    private final LongFunction<OptionalLong> guestPhysical;
    private final Paging paging;
    private final List<TableTree> trees;
    private final int entryBytes;
    private final boolean bigEndian;
    private final TableCache cache;

    private AddressSpace(
            GuestMemory memory,
            PhysicalAddress.Space space,
            LongFunction<OptionalLong> guestPhysical,
            Paging paging,
            TableCache cache) {
        this.memory = memory;
        this.space = space;
        this.guestPhysical = guestPhysical;
        this.paging = paging;
        this.trees = paging.trees();
        this.entryBytes = paging.entryBytes();
        this.bigEndian = paging.tableOrder() == ByteOrder.BIG_ENDIAN;
        this.cache = cache;
    }

    /**
     * The address space that {@code vcpu} used when the guest was frozen.
     *
     * @throws UnknownRegisterException if the source does not know a control register that is needed
     * @throws UnsupportedRequestException if page tables of the guest's architecture are not known, or if it is a Xen PV
     *     guest without its machine frames
     */
    public static AddressSpace of(Guest guest, Vcpu vcpu) {
        return of(guest, vcpu, TranslationOptions.defaults());
    }

    /**
     * The address space of {@code vcpu} with some things stated by the caller.
     *
     * @throws UnknownRegisterException if neither the source nor the options give what is needed
     * @throws UnsupportedRequestException if page tables of the guest's architecture are not known, if what is stated does
     *     not fit it, or if it is a Xen PV guest without its machine frames
     */
    public static AddressSpace of(Guest guest, Vcpu vcpu, TranslationOptions options) {
        Architecture family = family(guest, vcpu, options);
        Optional<XenFacts> xen = guest.facts(XenFacts.class);
        Optional<GuestMemory> machineMemory = guest.machineMemory();
        if (machineMemory.isPresent()) {
            int width = xen.map(XenFacts::guestWidth).orElse(Long.BYTES);
            Optional<FrameTable> table = xen.flatMap(XenFacts::frames).filter(FrameTable::hasMachineFrames);
            GuestMemory memory = machineMemory.get();
            return new AddressSpace(
                    memory,
                    PhysicalAddress.Space.MACHINE,
                    new FrameLookup(table),
                    X86Paging.ofParavirtualized(vcpu, width, options),
                    new TableCache(memory));
        }
        if (xen.isPresent() && xen.get().paravirtualized()) {
            throw new UnsupportedRequestException("the page tables of a Xen PV guest hold machine frames, and this"
                    + " source does not say which they are; take the dump with .xen_p2m");
        }
        return of(guest.memory(), family.paging(vcpu, guest.vcpus(), options)
                .orElseThrow(() -> new UnsupportedRequestException(
                        "virtual addresses of this guest cannot be translated: page"
                                + " tables of " + family.title() + " are not known to Guestcore")));
    }

    /** The processor: of the guest, of what is stated, or of the registers. */
    private static Architecture family(Guest guest, Vcpu vcpu, TranslationOptions options) {
        Optional<Architecture> stated = options.mode().map(PagingMode::architecture);
        if (guest.architecture() == Architecture.UNKNOWN) {
            return stated.or(vcpu.registers()::architecture)
                    .orElseThrow(() -> new UnknownRegisterException(vcpu.index()));
        }
        if (stated.isPresent() && stated.get() != guest.architecture()) {
            throw new UnsupportedRequestException("the guest is " + guest.architecture().title() + ", which has no "
                    + options.mode().orElseThrow().title() + " paging");
        }
        return guest.architecture();
    }

    /** The address space of given rules over a memory of the caller's own. */
    public static AddressSpace of(GuestMemory memory, Paging paging) {
        if (paging.secondStage().isPresent()) {
            AddressSpace host = of(memory, paging.secondStage().get());
            return of(host.memory(), PhysicalAddress.Space.INTERMEDIATE, host::find, paging);
        }
        Optional<Paging.Prefix> prefix = paging.prefix().filter(moved -> moved.address() != 0);
        if (prefix.isPresent()) {
            GuestMemory real = new RemappedMemory(memory, exchange(prefix.get()));
            return of(real, PhysicalAddress.Space.REAL, at -> OptionalLong.of(prefix.get().exchanged(at)), paging);
        }
        return of(memory, PhysicalAddress.Space.GUEST, OptionalLong::of, paging);
    }

    private static AddressSpace of(
            GuestMemory memory, PhysicalAddress.Space space, LongFunction<OptionalLong> guestPhysical, Paging paging) {
        return new AddressSpace(memory, space, guestPhysical, paging, new TableCache(memory));
    }

    /** Where real addresses lie. */
    private static Extents exchange(Paging.Prefix prefix) {
        Extents.Builder map = new Extents.Builder(Arena.ofAuto());
        long size = prefix.size();
        long other = prefix.address();
        map.add(0, size - 1, other);
        if (other != size) {
            map.add(size, other - 1, size);
        }
        map.add(other, other + size - 1, 0);
        map.add(other + size, -1L, other + size);
        return map.build();
    }

    private OptionalLong find(long virtual) {
        return translate(virtual)
                .guestPhysical()
                .map(found -> OptionalLong.of(found.value()))
                .orElse(OptionalLong.empty());
    }

    /**
     * The same rules from another page-table root, in the form of the register that holds it: of user mode where the kernel
     * has its own, a machine address for a Xen PV guest.
     */
    public AddressSpace withRoot(long root) {
        return new AddressSpace(memory, space, guestPhysical, paging.withRoot(root), cache);
    }

    /** The rules. */
    public Paging paging() {
        return paging;
    }

    /** Where the root table lies; of the lowest addresses where there are several. */
    public PhysicalAddress root() {
        return new PhysicalAddress(space, trees.getFirst().table());
    }

    /** Where the root table lies from which {@code virtual} is translated; empty if it is no address, or without tables. */
    public Optional<PhysicalAddress> rootOf(long virtual) {
        long untagged = paging.untagged(virtual);
        return trees.stream()
                .filter(tree -> tree.contains(untagged) && !tree.levels().isEmpty())
                .findFirst()
                .map(tree -> new PhysicalAddress(space, tree.table()));
    }

    /** The root tables and what is translated from each, ascending. */
    public List<TableTree> trees() {
        return trees;
    }

    /** The tree that has an address; {@code null} if none has. */
    private @Nullable TableTree treeOf(long untagged) {
        for (TableTree tree : trees) {
            if (tree.contains(untagged)) {
                return tree;
            }
        }
        return null;
    }

    /** What physical addresses of this address space count. */
    public PhysicalAddress.Space physicalSpace() {
        return space;
    }

    /** The memory behind the page tables: guest-physical, or by machine address for a Xen PV guest. */
    public GuestMemory physicalMemory() {
        return memory;
    }

    /** Walks the page tables and tells every step. Any value is allowed. */
    public Translation translate(long virtual) {
        List<WalkStep> steps = new ArrayList<>();
        Resolved resolved = resolve(virtual, steps);
        Optional<PhysicalAddress> physical = resolved.outcome() == Translation.Outcome.MAPPED
                ? Optional.of(new PhysicalAddress(space, resolved.physical()))
                : Optional.empty();
        return new Translation(
                virtual,
                resolved.outcome(),
                steps,
                physical,
                physical.flatMap(this::guestPhysical),
                1L << resolved.spanShift(),
                physical.map(mapped -> PageRights.ofBits(resolved.rights())));
    }

    /** The guest-physical address of a place; empty for a machine frame that is not the guest's or not known. */
    public Optional<PhysicalAddress> guestPhysical(PhysicalAddress address) {
        if (address.space() == PhysicalAddress.Space.GUEST) {
            return Optional.of(address);
        }
        OptionalLong found = guestPhysical.apply(address.value());
        return found.isPresent()
                ? Optional.of(new PhysicalAddress(PhysicalAddress.Space.GUEST, found.getAsLong()))
                : Optional.empty();
    }

    /** Memory by virtual address. */
    public VirtualMemory memory() {
        return new VirtualMemory(this);
    }

    /**
     * Lists all mapped ranges in ascending (unsigned) order. Neighbouring pages of the same rights and size are one
     * range.
     *
     * @param consumer may throw to stop
     */
    public MappingSummary mappings(Consumer<Mapping> consumer) {
        return mappings(EVERYTHING, MOST_TABLES, consumer);
    }

    /**
     * Lists the mapped ranges that touch {@code range}, cut to it.
     *
     * @param range virtual addresses
     * @param mostTables how many tables may be read
     * @param consumer may throw to stop
     */
    public MappingSummary mappings(AddressRange range, long mostTables, Consumer<Mapping> consumer) {
        MappingCollector collector = new MappingCollector(space, consumer);
        MappingSummary summary = walk(range, mostTables, false, collector);
        collector.flush();
        return summary;
    }

    /** Takes the pieces of memory that an address space is made of. */
    @FunctionalInterface
    public interface PieceConsumer {

        /**
         * A piece that is contiguous behind the page tables, or one page that is shown again and again.
         *
         * @param virtual lowest virtual address
         * @param physical where it leads, in {@link #physicalMemory()}
         * @param size bytes
         * @param pageSize bytes of a page
         * @param repeated whether all pages of the piece are the page at {@code physical}
         */
        void accept(long virtual, long physical, long size, long pageSize, boolean repeated);
    }

    /**
     * Gives every contiguous piece of memory behind the mapped addresses of {@code range}, ascending, whatever its
     * rights.
     *
     * @param range virtual addresses
     * @param mostTables how many tables may be read
     * @param consumer may throw to stop
     */
    public MappingSummary pieces(AddressRange range, long mostTables, PieceConsumer consumer) {
        TableWalk.Visitor visitor = (first, size, physical, pageShift, rights, layout) -> consumer.accept(first,
                physical, size, 1L << pageShift, layout == TableWalk.Layout.REPEATED);
        return walk(range, mostTables, true, visitor);
    }

    private MappingSummary walk(
            AddressRange range, long mostTables, boolean splitScattered, TableWalk.Visitor visitor) {
        MappingSummary summary = MappingSummary.NOTHING;
        for (TableTree tree : trees) {
            if (summary.stoppedAt().isEmpty()) {
                long left = mostTables - summary.tables();
                summary = summary.plus(
                        new TableWalk(memory, cache, paging, tree, range, left, splitScattered, visitor).run());
            }
        }
        return summary;
    }

    /** The end of a walk without its story. {@code spanShift} is log2 of the bytes for which the last entry speaks. */
    record Resolved(Translation.Outcome outcome, long physical, int spanShift, int rights) {

        static Resolved failed(Translation.Outcome outcome, int spanShift) {
            return new Resolved(outcome, 0, spanShift, 0);
        }
    }

    Resolved resolve(long virtual) {
        return resolve(virtual, null);
    }

    private Resolved resolve(long tagged, @Nullable List<WalkStep> steps) {
        long virtual = paging.untagged(tagged);
        TableTree tree = treeOf(virtual);
        if (tree == null) {
            return Resolved.failed(
                    paging.isRootMissing(virtual) ? Translation.Outcome.ROOT_UNKNOWN
                            : Translation.Outcome.NOT_CANONICAL,
                    0);
        }
        List<TableLevel> levels = tree.levels();
        if (levels.isEmpty()) {
            return new Resolved(
                    Translation.Outcome.MAPPED, virtual, tree.virtualBits(), PageRights.ALL_BUT_GLOBAL);
        }
        long table = tree.table();
        int first = tree.firstIndex();
        int last = tree.lastIndex();
        int rights = PageRights.ALL_BUT_GLOBAL;
        for (int depth = 0;; depth++) {
            TableLevel level = levels.get(depth);
            int index = level.index(virtual);
            long entryAddress = table + (long) index * entryBytes;
            boolean inTable = index >= first && index <= last;
            OptionalLong read = inTable ? cache.entry(entryAddress, entryBytes, bigEndian) : OptionalLong.of(0);
            if (read.isEmpty()) {
                note(steps, level, index, entryAddress, 0, WalkStep.Meaning.UNREADABLE);
                return Resolved.failed(Translation.Outcome.TABLE_UNREADABLE, level.shift());
            }
            long entry = read.getAsLong();
            if (!inTable || !paging.isPresent(level, entry)) {
                note(steps, level, index, entryAddress, entry, WalkStep.Meaning.NOT_PRESENT);
                return Resolved.failed(Translation.Outcome.NOT_PRESENT, level.shift());
            }
            if (paging.reservedBits(level, entry) != 0) {
                note(steps, level, index, entryAddress, entry, WalkStep.Meaning.RESERVED_BITS);
                return Resolved.failed(Translation.Outcome.RESERVED_BITS, level.shift());
            }
            rights = PageRights.restrict(rights, paging.rights(level, entry, virtual));
            long next = paging.address(level, entry, virtual);
            if (paging.isPage(level, entry)) {
                note(steps, level, index, entryAddress, entry, WalkStep.Meaning.PAGE, next);
                long offset = virtual & (1L << level.shift()) - 1;
                return new Resolved(Translation.Outcome.MAPPED, next + offset, level.shift(), rights);
            }
            note(steps, level, index, entryAddress, entry, WalkStep.Meaning.TABLE, next);
            table = next;
            first = paging.firstIndex(levels.get(depth + 1), entry);
            last = paging.lastIndex(levels.get(depth + 1), entry);
        }
    }

    private void note(
            @Nullable List<WalkStep> steps,
            TableLevel level,
            int index,
            long entryAddress,
            long entry,
            WalkStep.Meaning meaning) {
        note(steps, level, index, entryAddress, entry, meaning, 0);
    }

    private void note(
            @Nullable List<WalkStep> steps,
            TableLevel level,
            int index,
            long entryAddress,
            long entry,
            WalkStep.Meaning meaning,
            long next) {
        if (steps == null) {
            return;
        }
        boolean leads = meaning == WalkStep.Meaning.TABLE || meaning == WalkStep.Meaning.PAGE;
        steps.add(new WalkStep(
                level,
                index,
                new PhysicalAddress(space, entryAddress),
                entry,
                meaning,
                new PhysicalAddress(space, next),
                meaning == WalkStep.Meaning.RESERVED_BITS ? paging.reservedBits(level, entry) : 0,
                leads ? paging.attributes(level, entry) : ""));
    }

    /** Turns Xen's table around when it is first needed. */
    private static final class FrameLookup implements LongFunction<OptionalLong> {

        private final Optional<FrameTable> table;
        private volatile @Nullable MachineFrames built;

        FrameLookup(Optional<FrameTable> table) {
            this.table = Objects.requireNonNull(table);
        }

        @Override
        public OptionalLong apply(long machine) {
            if (table.isEmpty()) {
                return OptionalLong.empty();
            }
            MachineFrames ready = built;
            if (ready == null) {
                synchronized (this) {
                    ready = built;
                    if (ready == null) {
                        ready = MachineFrames.of(table.get());
                        built = ready;
                    }
                }
            }
            return ready.guestPhysical(machine);
        }
    }

    /** How it translates. */
    @Override
    public String toString() {
        return "AddressSpace[" + paging + "]";
    }
}

package dev.guestcore.address;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Memory as one vCPU's page tables map it. Thread-safe; valid until its guest is closed.
 *
 * <p>Page tables come from the guest and are not trusted: a walk takes at most five steps, and a pass over all tables
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
    private final FrameLookup frames;
    private final Paging paging;
    private final TableEntries entries;
    private final TableCache cache;

    private AddressSpace(
            GuestMemory memory, PhysicalAddress.Space space, FrameLookup frames, Paging paging, TableCache cache) {
        this.memory = memory;
        this.space = space;
        this.frames = frames;
        this.paging = paging;
        this.entries = new TableEntries(paging);
        this.cache = cache;
    }

    /**
     * The address space that {@code vcpu} used when the guest was frozen.
     *
     * @throws UnknownRegisterException if the source does not know a control register that is needed
     * @throws UnsupportedRequestException if the guest is not an x86, or a Xen PV guest without its machine frames
     */
    public static AddressSpace of(Guest guest, Vcpu vcpu) {
        return of(guest, vcpu, TranslationOptions.defaults());
    }

    /**
     * The address space of {@code vcpu} with some things stated by the caller.
     *
     * @throws UnknownRegisterException if neither the source nor the options give what is needed
     * @throws UnsupportedRequestException if the guest is not an x86, or a Xen PV guest without its machine frames
     */
    public static AddressSpace of(Guest guest, Vcpu vcpu, TranslationOptions options) {
        if (!guest.architecture().mayBe(Architectures.X86)) {
            throw new UnsupportedRequestException(
                    "virtual addresses can be translated for x86 guests only, this one is " + guest.architecture().title());
        }
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
                    Paging.ofParavirtualized(vcpu, width, options),
                    new TableCache(memory));
        }
        if (xen.isPresent() && xen.get().paravirtualized()) {
            throw new UnsupportedRequestException("the page tables of a Xen PV guest hold machine frames, and this"
                    + " source does not say which they are; take the dump with .xen_p2m");
        }
        return of(guest.memory(), Paging.of(vcpu, guest.vcpus(), options));
    }

    /** The address space of given rules over a memory of the caller's own. */
    public static AddressSpace of(GuestMemory memory, Paging paging) {
        return new AddressSpace(
                memory,
                PhysicalAddress.Space.GUEST,
                new FrameLookup(Optional.empty()),
                paging,
                new TableCache(memory));
    }

    /** The same rules from another page-table root, in the form of CR3 (a machine address for a Xen PV guest). */
    public AddressSpace withRoot(long cr3) {
        return new AddressSpace(memory, space, frames, paging.withRoot(cr3), cache);
    }

    /** The rules. */
    public Paging paging() {
        return paging;
    }

    /** Where the root table lies. */
    public PhysicalAddress root() {
        return new PhysicalAddress(space, paging.rootTable());
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
        List<WalkStep> steps = new ArrayList<>(paging.mode().levels().size());
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
        OptionalLong found = frames.guestPhysical(address.value());
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
        MappingSummary summary = new TableWalk(memory, cache, paging, range, mostTables, false, collector).run();
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
        TableWalk.Visitor visitor = (first, size, physical, pageShift, rights, layout) ->
                consumer.accept(first, physical, size, 1L << pageShift, layout == TableWalk.Layout.REPEATED);
        return new TableWalk(memory, cache, paging, range, mostTables, true, visitor).run();
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

    private Resolved resolve(long virtual, @Nullable List<WalkStep> steps) {
        PagingMode mode = paging.mode();
        if (!mode.isCanonical(virtual)) {
            return Resolved.failed(Translation.Outcome.NOT_CANONICAL, 0);
        }
        if (mode == PagingMode.NONE) {
            return new Resolved(
                    Translation.Outcome.MAPPED, virtual, mode.virtualBits(), PageRights.ALL_BUT_GLOBAL);
        }
        long table = paging.rootTable();
        int rights = PageRights.ALL_BUT_GLOBAL;
        for (int depth = 0; ; depth++) {
            int shift = mode.shift(depth);
            int index = mode.index(virtual, depth);
            long entryAddress = table + (long) index * mode.entryBytes();
            OptionalLong read = cache.entry(entryAddress, mode.entryBytes());
            if (read.isEmpty()) {
                note(steps, depth, index, entryAddress, 0, WalkStep.Meaning.UNREADABLE);
                return Resolved.failed(Translation.Outcome.TABLE_UNREADABLE, shift);
            }
            long entry = read.getAsLong();
            if (!TableEntries.isPresent(entry)) {
                note(steps, depth, index, entryAddress, entry, WalkStep.Meaning.NOT_PRESENT);
                return Resolved.failed(Translation.Outcome.NOT_PRESENT, shift);
            }
            if (entries.reservedBits(depth, entry) != 0) {
                note(steps, depth, index, entryAddress, entry, WalkStep.Meaning.RESERVED_BITS);
                return Resolved.failed(Translation.Outcome.RESERVED_BITS, shift);
            }
            rights = PageRights.restrict(rights, entries.rights(depth, entry));
            long next = entries.address(depth, entry);
            if (entries.isPage(depth, entry)) {
                note(steps, depth, index, entryAddress, entry, WalkStep.Meaning.PAGE);
                long offset = virtual & (1L << shift) - 1;
                return new Resolved(Translation.Outcome.MAPPED, next + offset, shift, rights);
            }
            note(steps, depth, index, entryAddress, entry, WalkStep.Meaning.TABLE);
            table = next;
        }
    }

    private void note(
            @Nullable List<WalkStep> steps,
            int depth,
            int index,
            long entryAddress,
            long entry,
            WalkStep.Meaning meaning) {
        if (steps == null) {
            return;
        }
        boolean leads = meaning == WalkStep.Meaning.TABLE || meaning == WalkStep.Meaning.PAGE;
        long next = leads ? entries.address(depth, entry) : 0;
        long reserved = meaning == WalkStep.Meaning.RESERVED_BITS ? entries.reservedBits(depth, entry) : 0;
        steps.add(new WalkStep(
                paging.mode().levels().get(depth),
                index,
                new PhysicalAddress(space, entryAddress),
                entry,
                meaning,
                new PhysicalAddress(space, next),
                reserved));
    }

    /** Turns Xen's table around when it is first needed. */
    private static final class FrameLookup {

        private final Optional<FrameTable> table;
        private volatile @Nullable MachineFrames built;

        FrameLookup(Optional<FrameTable> table) {
            this.table = Objects.requireNonNull(table);
        }

        OptionalLong guestPhysical(long machine) {
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
}

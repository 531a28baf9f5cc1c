package dev.guestcore;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.DumpFacts;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Builds a {@link Guest} from parts. Not thread-safe; what it builds is. */
public final class GuestBuilder {

    /** More vCPUs that contradict themselves tell nothing new. */
    private static final int MOST_CONTRADICTIONS = 16;

    private final List<RegionMemory.Part> parts = new ArrayList<>();
    private final List<Vcpu> vcpus = new ArrayList<>();
    private final List<DumpFacts> facts = new ArrayList<>();
    private final List<Finding> findings = new ArrayList<>();
    private @Nullable ByteOrder byteOrder;
    private Supplier<List<Finding>> laterFindings = List::of;
    private Provenance provenance = Provenance.of("builder", "memory");
    private @Nullable Architecture architecture;
    private Optional<GuestMemory> machineMemory = Optional.empty();
    private Optional<Freeze> freeze = Optional.empty();
    private Runnable onClose = () -> {};

    GuestBuilder() {}

    /** Adds RAM whose bytes lie in {@code bytes}. */
    public GuestBuilder ram(long address, MemorySegment bytes) {
        return memory(address, bytes, MemoryRegion.Kind.RAM, "ram");
    }

    /** Adds ROM whose bytes lie in {@code bytes}. */
    public GuestBuilder rom(long address, MemorySegment bytes) {
        return memory(address, bytes, MemoryRegion.Kind.ROM, "rom");
    }

    private GuestBuilder memory(long address, MemorySegment bytes, MemoryRegion.Kind kind, String name) {
        AddressRange range = AddressRange.ofSize(address, bytes.byteSize());
        return region(new MemoryRegion(range, kind, name), RegionContents.of(bytes));
    }

    /** Adds a range of device registers, which has no contents. */
    public GuestBuilder device(long address, long size, String name) {
        AddressRange range = AddressRange.ofSize(address, size);
        return region(new MemoryRegion(range, MemoryRegion.Kind.DEVICE, name), RegionContents.absent());
    }

    /** Adds a region with contents of any kind. */
    public GuestBuilder region(MemoryRegion region, RegionContents contents) {
        parts.add(new RegionMemory.Part(region, contents));
        return this;
    }

    /** Adds the next vCPU. */
    public GuestBuilder vcpu(RegisterState registers) {
        return vcpu(registers, List.of());
    }

    /** Adds the next vCPU with its raw contexts. */
    public GuestBuilder vcpu(RegisterState registers, List<RawContext> rawContexts) {
        return vcpu(vcpus.isEmpty() ? 0 : vcpus.getLast().index() + 1, registers, rawContexts);
    }

    /**
     * Adds a vCPU with the number that its hypervisor gave it.
     *
     * @param number larger than that of the vCPU added before
     * @throws IllegalArgumentException if it is not
     */
    public GuestBuilder vcpu(int number, RegisterState registers, List<RawContext> rawContexts) {
        if (number < 0 || !vcpus.isEmpty() && number <= vcpus.getLast().index()) {
            throw new IllegalArgumentException("vCPU numbers must be ascending from 0, found " + number);
        }
        vcpus.add(new Vcpu(number, registers, rawContexts));
        return this;
    }

    /** Adds facts that only some dumps have. */
    public GuestBuilder facts(DumpFacts more) {
        facts.add(Objects.requireNonNull(more));
        return this;
    }

    /** Adds findings about the source. */
    public GuestBuilder findings(List<Finding> more) {
        findings.addAll(more);
        return this;
    }

    /**
     * Sets where to ask for findings that turn up only while the guest is read, such as parts of a disk that fail.
     *
     * @param source gives all of them up to now; may be called by several threads at once
     */
    public GuestBuilder laterFindings(Supplier<List<Finding>> source) {
        laterFindings = Objects.requireNonNull(source);
        return this;
    }

    /** Says where the guest comes from. */
    public GuestBuilder provenance(Provenance origin) {
        provenance = Objects.requireNonNull(origin);
        return this;
    }

    /** Sets the processor family; unless it is said, that of the registers of the vCPUs, or {@link Architecture#UNKNOWN}. */
    public GuestBuilder architecture(Architecture family) {
        architecture = Objects.requireNonNull(family);
        return this;
    }

    /**
     * Sets the byte order of the processor; unless it is set, that of a family that has one only, or else what the memory
     * says of itself.
     */
    public GuestBuilder byteOrder(ByteOrder order) {
        byteOrder = Objects.requireNonNull(order);
        return this;
    }

    /** Adds the view of the memory by machine address (Xen PV). */
    public GuestBuilder machineMemory(GuestMemory byMachineAddress) {
        machineMemory = Optional.of(byMachineAddress);
        return this;
    }

    /** Sets the freeze that the guest holds. */
    public GuestBuilder freeze(Freeze lease) {
        freeze = Optional.of(lease);
        return this;
    }

    /** Sets what to do once when the guest is closed: thaw, unmap. */
    public GuestBuilder onClose(Runnable action) {
        onClose = Objects.requireNonNull(action);
        return this;
    }

    /**
     * Builds the guest.
     *
     * @throws IllegalArgumentException if regions overlap
     */
    public Guest build() {
        return build(new RegionMemory(parts));
    }

    /** Builds the guest over a memory of the caller's own; regions added before are ignored. */
    public Guest build(GuestMemory memory) {
        Architecture family = architecture == null ? architectureOfRegisters() : architecture;
        ByteOrder order = byteOrder == null ? family.byteOrder().orElse(memory.byteOrder()) : byteOrder;
        List<Finding> all = new ArrayList<>(findings);
        all.addAll(contradictions(family));
        return new BuiltGuest(
                family,
                order == memory.byteOrder() ? memory : new OrderedMemory(memory, order),
                machineMemory,
                List.copyOf(vcpus),
                provenance,
                List.copyOf(all),
                laterFindings,
                List.copyOf(facts),
                freeze,
                onClose);
    }

    private Architecture architectureOfRegisters() {
        return vcpus.stream()
                .flatMap(vcpu -> vcpu.registers().architecture().stream())
                .findFirst()
                .orElse(Architecture.UNKNOWN);
    }

    /** Registers that cannot be true together, wherever they come from. */
    private List<Finding> contradictions(Architecture family) {
        List<Finding> found = new ArrayList<>();
        for (Vcpu vcpu : vcpus) {
            family.contradiction(vcpu.registers())
                    .ifPresent(text -> found.add(Finding.damage(provenance.source() + ": vCPU " + vcpu.index()
                            + ": registers contradict each other: " + text)));
            if (found.size() == MOST_CONTRADICTIONS) {
                break;
            }
        }
        return found;
    }
}

package dev.guestcore;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.DumpFacts;
import java.util.List;
import java.util.Optional;

/**
 * A virtual machine frozen at one instant: guest-physical memory, vCPUs, and facts about where it came from. A dump file
 * and a frozen live guest are used in the same way.
 *
 * <p>Thread-safe for reading. {@link #close()} thaws a live guest that was frozen for this object, unmaps files, and may
 * be called more than once.
 */
public interface Guest extends AutoCloseable {

    /** Processor family. */
    Architecture architecture();

    /** Memory by guest-physical address. For a Xen PV guest that is the pseudo-physical address (PFN times page size). */
    GuestMemory memory();

    /**
     * The same memory by machine address, which is what page tables of a Xen PV guest hold; empty for any other guest.
     */
    default Optional<GuestMemory> machineMemory() {
        return Optional.empty();
    }

    /** The vCPUs in the source's order. */
    List<Vcpu> vcpus();

    /** Where the guest came from. */
    Provenance provenance();

    /** Damage and notes about the source; what turns up while the memory of a file is read is added then. */
    default List<Finding> findings() {
        return List.of();
    }

    /** Facts that only one hypervisor has; at most one of each class. */
    default List<DumpFacts> facts() {
        return List.of();
    }

    /** The facts of one hypervisor, if the source has them. */
    default <T extends DumpFacts> Optional<T> facts(Class<T> type) {
        return facts().stream().filter(type::isInstance).map(type::cast).findFirst();
    }

    /** The freeze that this guest holds; empty for files. */
    default Optional<Freeze> freeze() {
        return Optional.empty();
    }

    /** Thaws what we froze and lets go of files and memory. */
    @Override
    void close();

    /** A guest made of parts in this process, for authors of emulators and for tests. */
    static GuestBuilder builder() {
        return new GuestBuilder();
    }
}

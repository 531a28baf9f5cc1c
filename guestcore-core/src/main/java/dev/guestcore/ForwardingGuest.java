package dev.guestcore;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.DumpFacts;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A guest that passes every call on to another one, for those that add something to it. As thread-safe as the other one, which
 * is closed with this one.
 */
public abstract class ForwardingGuest implements Guest {

    private final Guest guest;

    /** Passes on to {@code guest}. */
    protected ForwardingGuest(Guest guest) {
        this.guest = Objects.requireNonNull(guest);
    }

    /** The guest that calls are passed on to. */
    protected final Guest guest() {
        return guest;
    }

    @Override
    public Architecture architecture() {
        return guest.architecture();
    }

    @Override
    public GuestMemory memory() {
        return guest.memory();
    }

    @Override
    public Optional<GuestMemory> machineMemory() {
        return guest.machineMemory();
    }

    @Override
    public List<Vcpu> vcpus() {
        return guest.vcpus();
    }

    @Override
    public Provenance provenance() {
        return guest.provenance();
    }

    @Override
    public List<Finding> findings() {
        return guest.findings();
    }

    @Override
    public List<DumpFacts> facts() {
        return guest.facts();
    }

    @Override
    public Optional<Freeze> freeze() {
        return guest.freeze();
    }

    @Override
    public void close() {
        guest.close();
    }
}

package dev.guestcore.open;

import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.source.GuestSource;
import java.util.List;
import java.util.Optional;

/** A guest that also closes the source it was had from. */
record SourcedGuest(Guest guest, GuestSource source) implements Guest {

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
        try {
            guest.close();
        } finally {
            source.close();
        }
    }
}

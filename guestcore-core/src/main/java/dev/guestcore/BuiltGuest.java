package dev.guestcore;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.DumpFacts;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** A guest that is the sum of its parts. */
final class BuiltGuest implements Guest {

    private final Architecture architecture;
    private final GuestMemory memory;
    private final Optional<GuestMemory> machineMemory;
    private final List<Vcpu> vcpus;
    private final Provenance provenance;
    private final List<Finding> findings;
    private final Supplier<List<Finding>> laterFindings;
    private final List<DumpFacts> facts;
    private final Optional<Freeze> freeze;
    private final AtomicReference<Runnable> onClose;

    BuiltGuest(
            Architecture architecture,
            GuestMemory memory,
            Optional<GuestMemory> machineMemory,
            List<Vcpu> vcpus,
            Provenance provenance,
            List<Finding> findings,
            Supplier<List<Finding>> laterFindings,
            List<DumpFacts> facts,
            Optional<Freeze> freeze,
            Runnable onClose) {
        this.architecture = architecture;
        this.memory = memory;
        this.machineMemory = machineMemory;
        this.vcpus = vcpus;
        this.provenance = provenance;
        this.findings = findings;
        this.laterFindings = laterFindings;
        this.facts = facts;
        this.freeze = freeze;
        this.onClose = new AtomicReference<>(onClose);
    }

    @Override
    public Architecture architecture() {
        return architecture;
    }

    @Override
    public GuestMemory memory() {
        return memory;
    }

    @Override
    public Optional<GuestMemory> machineMemory() {
        return machineMemory;
    }

    @Override
    public List<Vcpu> vcpus() {
        return vcpus;
    }

    @Override
    public Provenance provenance() {
        return provenance;
    }

    @Override
    public List<Finding> findings() {
        List<Finding> later = laterFindings.get();
        return later.isEmpty() ? findings : Stream.concat(findings.stream(), later.stream()).toList();
    }

    @Override
    public List<DumpFacts> facts() {
        return facts;
    }

    @Override
    public Optional<Freeze> freeze() {
        return freeze;
    }

    @Override
    public void close() {
        Runnable action = onClose.getAndSet(null);
        if (action != null) {
            action.run();
        }
    }
}

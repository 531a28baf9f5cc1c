package dev.guestcore.source.described;

import dev.guestcore.ForwardingMemory;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.source.GuestSource;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/** A described guest. It does not run, so any number of guests may be had from it at a time. */
final class DescribedSource implements GuestSource {

    private final Description description;
    private final AtomicBoolean disconnected = new AtomicBoolean();

    DescribedSource(Description description) {
        this.description = description;
    }

    @Override
    public String description() {
        return "guest described by " + description.file();
    }

    @Override
    public List<MemoryRegion> regions() {
        return description.memory().regions();
    }

    @Override
    public int vcpuCount() {
        return description.vcpus().size();
    }

    @Override
    public boolean isLive() {
        return false;
    }

    @Override
    public Guest freeze() {
        AtomicBoolean closed = new AtomicBoolean();
        GuestBuilder builder = Guest.builder()
                .architecture(description.architecture())
                .provenance(description.provenance())
                .onClose(() -> closed.set(true));
        description.vcpus().forEach(vcpu -> builder.vcpu(vcpu.index(), vcpu.registers(), vcpu.rawContexts()));
        description.virtualBox().ifPresent(builder::facts);
        description.xen().ifPresent(builder::facts);
        description.machineMemory().ifPresent(memory -> builder.machineMemory(guarded(memory, closed)));
        return builder.build(guarded(description.memory(), closed));
    }

    private GuestMemory guarded(GuestMemory memory, AtomicBoolean closed) {
        return new Guarded(memory, closed, disconnected);
    }

    @Override
    public void close() {
        if (disconnected.compareAndSet(false, true)) {
            description.files().close();
        }
    }

    /** Memory until the guest is closed. */
    private static final class Guarded extends ForwardingMemory {

        private final GuestMemory memory;
        private final AtomicBoolean closed;
        private final AtomicBoolean disconnected;

        Guarded(GuestMemory memory, AtomicBoolean closed, AtomicBoolean disconnected) {
            this.memory = memory;
            this.closed = closed;
            this.disconnected = disconnected;
        }

        @Override
        protected GuestMemory memory() {
            if (closed.get() || disconnected.get()) {
                throw new IllegalStateException("the guest is closed");
            }
            return memory;
        }
    }
}

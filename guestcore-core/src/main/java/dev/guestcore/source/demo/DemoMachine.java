package dev.guestcore.source.demo;

import dev.guestcore.AddressRange;
import dev.guestcore.Freeze;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.Architectures;
import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.source.GuestSource;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** The running demo machine: its memory, one thread a vCPU, and the way to stop them all at once. */
final class DemoMachine implements GuestSource {

    private final String location;
    private final DemoOptions options;
    private final PhysicalMemory memory;
    private final List<Runner> runners = new ArrayList<>();
    private final Rendezvous rendezvous;
    private final List<MemoryRegion> regions;

    /** Guarded by this; the guest that holds the machine frozen, if one does. */
    private Optional<Lease> lease = Optional.empty();

    /** Guarded by this. */
    private boolean closed;

    private DemoMachine(String location, DemoOptions options, PhysicalMemory memory) {
        this.location = location;
        this.options = options;
        this.memory = memory;
        this.rendezvous = new Rendezvous(options.vcpus());
        List<MemoryRegion> all = new ArrayList<>();
        all.add(device(DemoLayout.VGA, DemoLayout.VGA_SIZE, "vga"));
        all.add(device(DemoLayout.IOAPIC, DemoLayout.PAGE_SIZE, "ioapic"));
        all.add(device(DemoLayout.LOCAL_APIC, DemoLayout.PAGE_SIZE, "local apic"));
        memory.banks().forEach(bank -> all.add(region(bank)));
        all.sort((left, right) -> left.range().compareTo(right.range()));
        regions = List.copyOf(all);
        Firmware.prepare(memory, options.ram(), options.vcpus());
        for (int vcpu = 0; vcpu < options.vcpus(); vcpu++) {
            runners.add(new Runner(vcpu));
        }
    }

    /**
     * Switches the machine on.
     *
     * @param locator what stands behind {@code demo:}
     */
    static DemoMachine start(String locator) {
        DemoOptions options = DemoOptions.parse(locator);
        PhysicalMemory memory;
        try {
            memory = new PhysicalMemory(options.ram());
        } catch (OutOfMemoryError e) {
            throw new SourceException(
                    "demo: there is no room for " + options.ram()
                            + " bytes of guest memory; choose less with ram=SIZE, or give Java more with"
                            + " -XX:MaxDirectMemorySize=SIZE",
                    e);
        }
        for (long page : options.failingPages()) {
            if (memory.offset(page) < 0) {
                throw new UnsupportedRequestException("demo: option 'fail=0x" + Long.toHexString(page)
                        + "': expected the address of a page of RAM or ROM, found a hole or a device");
            }
        }
        DemoMachine machine = new DemoMachine("demo:" + locator, options, memory);
        try {
            machine.runners.forEach(Runner::begin);
        } catch (OutOfMemoryError e) {
            machine.close();
            throw new SourceException("demo: cannot start a thread for each of " + options.vcpus()
                    + " vCPUs; ask for fewer", e);
        }
        return machine;
    }

    private static MemoryRegion device(long address, long size, String name) {
        return new MemoryRegion(AddressRange.ofSize(address, size), MemoryRegion.Kind.DEVICE, name);
    }

    private static MemoryRegion region(PhysicalMemory.Bank bank) {
        return new MemoryRegion(AddressRange.ofSize(bank.first(), bank.size()), bank.kind(), bank.name());
    }

    @Override
    public String description() {
        return "embedded demo guest, " + options.vcpus() + (options.vcpus() == 1 ? " vCPU, " : " vCPUs, ")
                + (options.ram() + DemoLayout.HIGH_RAM_SIZE >> 20) + " MiB";
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public int vcpuCount() {
        return options.vcpus();
    }

    @Override
    public boolean isLive() {
        return true;
    }

    @Override
    public synchronized Guest freeze() {
        if (closed) {
            throw new SourceException(location + ": the demo guest is closed; open it again");
        }
        if (lease.isPresent()) {
            throw new SourceException(
                    location + ": the demo guest is frozen already; close the guest that was had from it first");
        }
        Lease fresh = new Lease();
        rendezvous.freeze();
        for (Runner runner : runners) {
            if (runner.fault.isPresent()) {
                rendezvous.thaw();
                throw new SourceException(location + ": vCPU " + runner.number + " came to a halt: "
                        + runner.fault.get().getMessage());
            }
        }
        lease = Optional.of(fresh);
        return guest(fresh);
    }

    /** A guest that was not frozen: what it says is not of one instant. To show that freezing is needed. */
    Guest withoutFreezing() {
        return guest(new Lease());
    }

    private Guest guest(Lease holder) {
        GuestBuilder builder = Guest.builder()
                .architecture(Architectures.X86)
                .provenance(new Provenance(
                        location,
                        "demo",
                        "",
                        Optional.of("Guestcore demo machine"),
                        Optional.empty(),
                        Optional.of(Instant.now())))
                .freeze(holder)
                .onClose(() -> thaw(holder));
        memory.banks()
                .forEach(bank -> builder.region(
                        region(bank), new BankContents(bank, memory, holder, options.failingPages())));
        regions.stream()
                .filter(region -> !region.hasContent())
                .forEach(region -> builder.region(region, RegionContents.absent()));
        runners.forEach(runner -> builder.vcpu(runner.processor.registers()));
        return builder.build();
    }

    private synchronized void thaw(Lease holder) {
        holder.end();
        if (lease.isPresent() && lease.get() == holder) {
            lease = Optional.empty();
            rendezvous.thaw();
        }
    }

    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            lease.ifPresent(this::thaw);
        }
        rendezvous.end();
        runners.forEach(Runner::await);
    }

    /** The thread of one vCPU. */
    private final class Runner implements Runnable {

        private final int number;
        private final Processor processor;
        private final Thread thread;

        /** Written by the vCPU before it leaves the rendezvous, which makes it visible to whoever freezes. */
        private Optional<RuntimeException> fault = Optional.empty();

        Runner(int number) {
            this.number = number;
            processor = new Processor(memory, Firmware.registers(number, options.vcpus()));
            thread = new Thread(this, "guestcore-demo-vcpu-" + number);
            thread.setDaemon(true);
        }

        void begin() {
            thread.start();
        }

        @Override
        public void run() {
            try {
                do {
                    do {
                        processor.step();
                    } while (!rendezvous.isRequested());
                } while (rendezvous.stop());
            } catch (RuntimeException e) {
                fault = Optional.of(e);
            } finally {
                rendezvous.leave();
            }
        }

        void await() {
            boolean interrupted = false;
            while (true) {
                try {
                    thread.join();
                    break;
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Time begins when the first vCPU may have stopped, and ends when they may go on. */
    private static final class Lease implements Freeze {

        private final long begin = System.nanoTime();
        private volatile long end;
        private volatile boolean ended;

        void end() {
            if (!ended) {
                end = System.nanoTime();
                ended = true;
            }
        }

        void requireHeld() {
            if (ended) {
                throw new IllegalStateException("the guest is closed");
            }
        }

        @Override
        public boolean wasRunning() {
            return true;
        }

        @Override
        public Duration elapsed() {
            return Duration.ofNanos((ended ? end : System.nanoTime()) - begin);
        }
    }

    private record BankContents(
            PhysicalMemory.Bank bank, PhysicalMemory memory, Lease lease, Set<Long> failingPages)
            implements RegionContents {

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            lease.requireHeld();
            Run run = runAt(offset, bank.size() - offset);
            if (run.state() != PageState.PRESENT) {
                return 0;
            }
            long length = Math.min(run.size(), target.byteSize());
            MemorySegment.copy(memory.store(), bank.offset() + offset, target, 0, length);
            return length;
        }

        @Override
        public Run runAt(long offset, long remaining) {
            lease.requireHeld();
            long size = remaining;
            for (long page : failingPages) {
                long from = page - bank.first();
                if (from <= offset && offset < from + DemoLayout.PAGE_SIZE) {
                    return new Run(PageState.UNREADABLE, from + DemoLayout.PAGE_SIZE - offset);
                }
                if (from > offset) {
                    size = Math.min(size, from - offset);
                }
            }
            return new Run(PageState.PRESENT, size);
        }

        @Override
        public Optional<MemorySegment> view(long offset, long size) {
            lease.requireHeld();
            Run run = runAt(offset, bank.size() - offset);
            return run.state() == PageState.PRESENT && run.size() >= size
                    ? Optional.of(memory.store().asSlice(bank.offset() + offset, size).asReadOnly())
                    : Optional.empty();
        }
    }
}

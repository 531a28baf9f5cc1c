package dev.guestcore.internal.freeze;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.internal.parallel.Workers;
import dev.guestcore.internal.text.Amounts;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Takes the memory of a frozen guest over into memory of this process, on all processors, so that the guest can run on
 * before anything is written. What takes time and can be done beforehand is done while the guest still runs: taking memory
 * from the system. Not thread-safe.
 */
public final class FreezeBuffer implements AutoCloseable {

    private static final long PAGE = Architecture.SMALLEST_PAGE;
    private static final long JOB = 2 * AnonymousMemory.HUGE_PAGE;

    /** Bytes of memory that a rehearsal reads: enough for the compiler to notice. */
    private static final long REHEARSAL = 64 << 20;

    /** The guest and everybody else need memory too: no more than three quarters of what is available is taken. */
    private static final long TAKEN_QUARTERS = 3;

    /** Name of the system property that lowers what is taken, in bytes. */
    public static final String LIMIT_PROPERTY = "dev.guestcore.buffer.limit";

    private final Map<AddressRange, Slot> slots = new HashMap<>();

    /** A region's bytes and the states of its pages. */
    private record Slot(AnonymousMemory bytes, PageStates states, long size) {

        static Slot of(long size) {
            AnonymousMemory bytes = AnonymousMemory.reserve(size);
            return new Slot(bytes, new PageStates(size), size);
        }

        void close() {
            bytes.close();
            states.close();
        }
    }

    /** Some of a region's pages. */
    private record Job(long address, long offset, long size, Slot slot) {}

    private final List<Job> used = new ArrayList<>();
    private long needed;

    private FreezeBuffer() {}

    /**
     * A buffer for such a guest.
     *
     * @param running the guest's memory while it still runs; its states tell how much will be needed
     * @throws NoRoom if there is not enough memory
     */
    public static FreezeBuffer plan(GuestMemory running) {
        long room = room();
        FreezeBuffer buffer = new FreezeBuffer();
        try {
            List<Job> jobs = buffer.jobs(running);
            boolean[] used = new boolean[jobs.size()];
            // Asking costs a look at every page.
            Workers.run(jobs.size(), number -> {
                used[number] = holdsAnything(running, jobs.get(number));
                return 0;
            }, Progress.none());
            for (int i = 0; i < used.length; i++) {
                if (used[i]) {
                    buffer.needed += jobs.get(i).size();
                    buffer.used.add(jobs.get(i));
                }
            }
            if (buffer.needed > room) {
                throw new NoRoom("the guest's memory needs a buffer of " + Amounts.human(buffer.needed) + ", and "
                        + Amounts.human(room) + " of the free memory may be used");
            }
            return buffer;
        } catch (RuntimeException | Error e) {
            buffer.close();
            throw e;
        }
    }

    /** Takes memory for what the guest used when this was planned, and rehearses the copy. */
    public void prepare(GuestMemory running, Progress progress) {
        progress.begin("making room for memory", needed);
        Workers.run(used.size(), number -> {
            Job job = used.get(number);
            job.slot().bytes().populate(job.offset(), job.size());
            return job.size();
        }, progress);
        // What was never done before is slow the first time. All of this is done again when the guest stands still.
        Workers.run(
                (int) Math.min(used.size(), REHEARSAL / JOB), number -> copy(running, used.get(number)),
                Progress.none());
        used.clear();
    }

    private static long room() {
        if (!AnonymousMemory.isSupported()) {
            throw new NoRoom("a buffer in memory needs Linux");
        }
        return roomInMemory().orElseThrow(() -> new NoRoom("this system does not tell how much memory is free"));
    }

    /** How many bytes of memory this process may take for a guest's; empty where the system does not tell. */
    public static OptionalLong roomInMemory() {
        return roomInMemory("self");
    }

    /** How many bytes of memory may be taken for a guest's where they count as those of a certain process. */
    public static OptionalLong roomInMemory(int process) {
        return roomInMemory(Integer.toString(process));
    }

    private static OptionalLong roomInMemory(String process) {
        OptionalLong available = new HostMemory(Path.of("/")).available(process);
        return available.isEmpty()
                ? available
                : OptionalLong.of(Math.min(
                        available.getAsLong() / 4 * TAKEN_QUARTERS, Long.getLong(LIMIT_PROPERTY, Long.MAX_VALUE)));
    }

    private static boolean holdsAnything(GuestMemory memory, Job job) {
        for (long done = 0; done < job.size();) {
            PageRun run = memory.runAt(job.address() + done);
            if (run.state() == PageState.PRESENT) {
                return true;
            }
            done += length(run, job.size() - done);
        }
        return false;
    }

    private static long length(PageRun run, long most) {
        long lessOne = run.range().last() - run.range().first();
        return Long.compareUnsigned(lessOne, most - 1) >= 0 ? most : lessOne + 1;
    }

    private List<Job> jobs(GuestMemory memory) {
        List<Job> jobs = new ArrayList<>();
        for (MemoryRegion region : memory.regions()) {
            if (region.hasContent()) {
                Slot slot = slots.computeIfAbsent(region.range(), range -> Slot.of(range.size()));
                for (long offset = 0; offset < slot.size(); offset += JOB) {
                    long size = Math.min(JOB, slot.size() - offset);
                    jobs.add(new Job(region.range().first() + offset, offset, size, slot));
                }
            }
        }
        return jobs;
    }

    /**
     * Copies all memory of a frozen guest, closes that guest, and gives one that is the same but lies here. This buffer
     * belongs to that guest then.
     */
    public Guest take(Guest frozen, Progress progress) {
        long begin = System.nanoTime();
        GuestMemory memory = frozen.memory();
        List<Job> jobs;
        try {
            jobs = jobs(memory);
            progress.begin("reading memory", jobs.stream().mapToLong(Job::size).sum());
            Workers.run(jobs.size(), number -> copy(memory, jobs.get(number)), progress);
        } catch (RuntimeException | Error e) {
            try {
                frozen.close();
            } catch (RuntimeException thawing) {
                e.addSuppressed(thawing);
            }
            throw e;
        }
        Duration reading = Duration.ofNanos(System.nanoTime() - begin);
        Guest taken = guest(frozen, memory.regions(), reading);
        frozen.close();
        return taken;
    }

    private static long copy(GuestMemory memory, Job job) {
        Slot slot = job.slot();
        // Whoever was here before, in a rehearsal, counts no more.
        slot.states().set(job.offset(), job.size(), PageState.PRESENT);
        for (long done = 0; done < job.size();) {
            PageRun run = memory.runAt(job.address() + done);
            long length = length(run, job.size() - done);
            long offset = job.offset() + done;
            switch (run.state()) {
                case PRESENT -> {
                    long copied = memory.readAvailable(
                            job.address() + done, slot.bytes().bytes().asSlice(offset, length));
                    if (copied < length) {
                        // The page at which it stopped is lost; what is behind it is tried again.
                        long lost = Math.min(length - copied, PAGE - (offset + copied & PAGE - 1));
                        slot.states().set(offset + copied, lost, PageState.UNREADABLE);
                        length = copied + lost;
                    }
                }
                case ZERO -> noteZeros(slot, offset, length);
                default -> slot.states().set(offset, length, run.state());
            }
            done += length;
        }
        return job.size();
    }

    /** Only a whole page is ZERO; of others the zeros are written. */
    private static void noteZeros(Slot slot, long offset, long size) {
        long end = offset + size;
        long firstWhole = offset + PAGE - 1 & -PAGE;
        long lastWhole = end == slot.size() ? end : end & -PAGE;
        if (firstWhole >= lastWhole) {
            slot.bytes().bytes().asSlice(offset, size).fill((byte) 0);
            return;
        }
        slot.bytes().bytes().asSlice(offset, firstWhole - offset).fill((byte) 0);
        slot.bytes().bytes().asSlice(lastWhole, end - lastWhole).fill((byte) 0);
        slot.states().set(firstWhole, lastWhole - firstWhole, PageState.ZERO);
    }

    private Guest guest(Guest frozen, List<MemoryRegion> regions, Duration reading) {
        GuestBuilder builder = Guest.builder()
                .architecture(frozen.architecture())
                .provenance(withLayout(frozen.provenance()))
                .findings(frozen.findings())
                .onClose(this::close);
        frozen.freeze().ifPresent(lease -> builder.freeze(new Ended(lease, reading)));
        frozen.facts().forEach(builder::facts);
        frozen.vcpus().forEach(vcpu -> builder.vcpu(vcpu.index(), vcpu.registers(), vcpu.rawContexts()));
        for (MemoryRegion region : regions) {
            Slot slot = slots.get(region.range());
            builder.region(
                    region,
                    slot == null || !region.hasContent() ? RegionContents.absent() : new SlotContents(slot));
        }
        return builder.build();
    }

    private static Provenance withLayout(Provenance origin) {
        return new Provenance(
                origin.source(),
                origin.format(),
                FreezeMethod.BUFFER.label(),
                origin.hypervisor(),
                origin.hypervisorVersion(),
                origin.takenAt());
    }

    @Override
    public void close() {
        slots.values().forEach(Slot::close);
        slots.clear();
    }

    /** There is not enough memory for a buffer; the message says why in one line. */
    public static final class NoRoom extends RuntimeException {

        @Serial
        private static final long serialVersionUID = 1L;

        NoRoom(String message) {
            super(message);
        }
    }

    private record Ended(Freeze lease, Duration reading) implements Freeze {

        @Override
        public boolean wasRunning() {
            return lease.wasRunning();
        }

        @Override
        public Duration elapsed() {
            return lease.elapsed();
        }

        @Override
        public FreezeMethod method() {
            return FreezeMethod.BUFFER;
        }

        @Override
        public List<Finding> findings() {
            return lease.findings();
        }
    }

    private record SlotContents(Slot slot) implements RegionContents {

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            long done = 0;
            while (done < target.byteSize()) {
                Run run = runAt(offset + done, target.byteSize() - done);
                MemorySegment part = target.asSlice(done, run.size());
                if (run.state() == PageState.ZERO) {
                    part.fill((byte) 0);
                } else if (run.state() == PageState.PRESENT) {
                    MemorySegment.copy(slot.bytes().bytes(), offset + done, part, 0, run.size());
                } else {
                    break;
                }
                done += run.size();
            }
            return done;
        }

        @Override
        public Run runAt(long offset, long remaining) {
            return slot.states().runAt(offset, remaining);
        }

        @Override
        public Optional<MemorySegment> view(long offset, long size) {
            Run run = runAt(offset, size);
            return run.state() == PageState.PRESENT && run.size() == size
                    ? Optional.of(slot.bytes().bytes().asSlice(offset, size).asReadOnly())
                    : Optional.empty();
        }
    }
}

package dev.guestcore.source.qemu;

import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.IoReason;
import dev.guestcore.internal.migration.MachineState;
import dev.guestcore.internal.migration.MigrationStream;
import dev.guestcore.internal.migration.RamBlock;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.MemoryPlacer;
import java.io.IOException;
import java.io.Serial;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/**
 * A background snapshot (QEMU 6.0): QEMU stops the guest for as long as it takes to note the devices and to protect memory
 * against writing, and then writes out the memory of that instant while the guest runs on. Whatever is changed at QEMU for
 * it is put back, whatever happens, also when this JVM is told to end.
 */
final class Snapshot {

    /** How long QEMU may take to end a migration that was cancelled, or that has to be waited for. */
    private static final Duration ENDING = Duration.ofSeconds(30);

    private static final Duration COMPLETING = Duration.ofMinutes(10);

    private static final long LOOK_NANOSECONDS = 2_000_000;

    /** The guest may move its memory about while we ask for the layout. */
    private static final int ATTEMPTS = 3;

    /** States of a migration that does not go on. */
    private static final Set<String> RESTING = Set.of("", "none", "completed", "failed", "cancelled");

    private static final Pattern BLOCK = Pattern.compile("^\\s*(\\S.*?)\\s+\\d+ [KMG]iB\\s+0x[0-9a-f]+\\s.*$");

    private final QmpClient qmp;
    private final Watchdog watchdog;
    private final FreezeRequest request;
    private final StreamFile stream;
    private final MigrationSettings settings;
    private final Thread onShutdown = new Thread(this::endAtShutdown, "guestcore-cancel-snapshot");
    private final boolean canBeCancelled;
    private volatile long eventsBefore;
    private volatile @Nullable EventWatch watch;
    private volatile boolean shuttingDown;
    private volatile boolean started;
    private boolean ended;

    /** QEMU will not do it; the message says why in one line. The guest runs, and everything is as before. */
    static final class Refused extends Exception {

        @Serial
        private static final long serialVersionUID = 1L;

        Refused(String message, @Nullable Throwable cause) {
            super(message, cause);
        }

        @Override
        public String getMessage() {
            return Objects.requireNonNull(super.getMessage());
        }
    }

    /**
     * What the source knows of the guest.
     *
     * @param location for the user
     * @param version QEMU's
     * @param vcpus how many there are
     * @param processor of its machine
     * @param process QEMU's, if it is known
     */
    record Subject(
            String location, String version, int vcpus, MonitorProcessor processor, Optional<Integer> process) {}

    private Snapshot(QmpClient qmp, Watchdog watchdog, FreezeRequest request, StreamFile stream) throws IOException {
        this.qmp = qmp;
        this.watchdog = watchdog;
        this.request = request;
        this.stream = stream;
        canBeCancelled = canBeCancelled(qmp);
        eventsBefore = qmp.eventCount();
        watchdog.awaitReady();
        settings = MigrationSettings.change(qmp, watchdog);
    }

    /** Why there can be no snapshot now; empty if nothing speaks against it. Everything is as before afterwards. */
    static Optional<String> refusal(QmpClient qmp, Watchdog watchdog) throws IOException {
        try {
            RunState state = RunState.ask(qmp);
            if (!state.running()) {
                return Optional.of(state.meaning() + ", and QEMU would resume it");
            }
            JsonNode migration = qmp.execute("query-migrate", Map.of(), QemuSource.COMMAND);
            if (!RESTING.contains(migration.path("status").asString(""))) {
                return Optional
                        .of("a migration of the guest is under way, and QEMU does one at a time; wait until it ends, or"
                                + " cancel it");
            }
            List<String> reasons = new ArrayList<>();
            migration.path("blocked-reasons").forEach(reason -> reasons.add(reason.asString("")));
            if (!reasons.isEmpty()) {
                return Optional.of(String.join("; ", reasons));
            }
            List<String> blocks = blockNames(qmp);
            for (FlatView.Mapping mapping : RamLayout.ask(qmp).mappings()) {
                if (mapping.region().hasContent()) {
                    find(mapping.region(), blocks, block -> block);
                }
            }
            MigrationSettings.change(qmp, watchdog).restore(qmp);
            watchdog.disarm();
            return Optional.empty();
        } catch (Refused e) {
            return Optional.of(e.getMessage());
        } catch (SourceException e) {
            return Optional.of(e.getMessage());
        }
    }

    /**
     * QEMU before 8.1 leaves memory protected when a snapshot is cancelled or fails, and the guest hangs at its next write:
     * there it must come to its end, whatever becomes of us.
     */
    private static boolean canBeCancelled(QmpClient qmp) {
        JsonNode version = qmp.version().path("qemu");
        int major = version.path("major").asInt(0);
        return major > 8 || major == 8 && version.path("minor").asInt(0) >= 1;
    }

    private static List<String> blockNames(QmpClient qmp) throws IOException {
        List<String> names = new ArrayList<>();
        for (String line : qmp.monitor("info ramblock", QemuSource.COMMAND).split("\n")) {
            Matcher matcher = BLOCK.matcher(line.substring(0, Math.min(line.length(), FlatView.LONGEST_LINE)));
            if (matcher.matches() && names.size() < FlatView.MOST_REGIONS) {
                names.add(matcher.group(1));
            }
        }
        return names;
    }

    /** A block is named like its memory region, with the path of the device that owns it before it. */
    static boolean isCalled(String block, MemoryRegion region) {
        return block.equals(region.name()) || block.endsWith("/" + region.name());
    }

    private static <T> T find(MemoryRegion region, List<T> blocks, Function<T, String> name) throws Refused {
        T found = null;
        for (T block : blocks) {
            if (isCalled(name.apply(block), region)) {
                if (found != null) {
                    throw new Refused("more than one memory block is called " + region.name(), null);
                }
                found = block;
            }
        }
        if (found == null) {
            throw new Refused("no memory block belongs to region " + region.name() + " at " + region.range(), null);
        }
        return found;
    }

    /**
     * Takes a snapshot.
     *
     * @throws Refused if QEMU will not
     * @throws SourceException if it fails in another way; the guest runs on
     * @throws CancelledException if the progress says so; the guest runs on
     */
    static Guest take(QmpClient qmp, Watchdog watchdog, FreezeRequest request, Subject subject)
            throws IOException, Refused {
        for (int attempt = 1;; attempt++) {
            RamLayout layout = RamLayout.ask(qmp);
            Optional<Guest> guest = attempt(qmp, watchdog, request, subject, layout);
            if (guest.isPresent()) {
                return guest.get();
            }
            if (attempt == ATTEMPTS) {
                throw new Refused("the guest keeps changing its memory layout", null);
            }
        }
    }

    /** Empty if the layout was not the same before and after. */
    private static Optional<Guest> attempt(
            QmpClient qmp,
            Watchdog watchdog,
            FreezeRequest request,
            Subject subject,
            RamLayout layout)
            throws IOException, Refused {
        long begin = System.nanoTime();
        long most = 0;
        for (FlatView.Mapping mapping : layout.mappings()) {
            most += mapping.region().hasContent() ? mapping.region().range().size() : 0;
        }
        StreamFile stream;
        try {
            // Two words a page, and the devices.
            stream = StreamFile.create(most + most / 256 + (64L << 20), request.folder(), canBeCancelled(qmp));
        } catch (IOException e) {
            throw new Refused(IoReason.of(e), e);
        } catch (SourceException e) {
            throw new Refused(e.getMessage(), e);
        }
        try (stream) {
            Snapshot snapshot;
            try {
                snapshot = new Snapshot(qmp, watchdog, request, stream);
            } catch (SourceException e) {
                throw new Refused(e.getMessage(), e);
            }
            return snapshot.run(subject, layout, most, begin);
        }
    }

    private Optional<Guest> run(Subject subject, RamLayout layout, long size, long begin)
            throws IOException, Refused {
        Runtime.getRuntime().addShutdownHook(onShutdown);
        SnapshotPages memory = null;
        try {
            Optional<MemoryPlacer> placer = placer(subject, layout);
            if (placer.isPresent()) {
                request.progress().begin("reading and writing memory", 2 * size);
            } else {
                request.progress().begin("reading memory", size);
            }
            start(subject);
            memory = placer.isPresent()
                    ? new PlacedPages(layout.mappings(), placer.get(), request.progress())
                    : new SnapshotMemory(stream.handOver(), request.progress());
            MachineState state = new MigrationStream(
                    stream.reader(this::isComplete, placer.isPresent()),
                    subject.location() + " (snapshot)",
                    memory)
                    .read();
            boolean sameLayout = layout.askAgain(qmp).equals(layout);
            end();
            memory.complete();
            if (!sameLayout) {
                memory.close();
                return Optional.empty();
            }
            Duration reading = Duration.ofNanos(System.nanoTime() - begin);
            return Optional.of(guest(subject, layout, memory, state, reading));
        } catch (IOException | GuestcoreException | Refused | IllegalStateException | Error e) {
            try {
                end();
            } catch (IOException | RuntimeException ending) {
                e.addSuppressed(ending);
            }
            if (memory != null) {
                memory.close();
            }
            if (shuttingDown) {
                throw new CancelledException();
            }
            throw e;
        } finally {
            forgetShutdown();
        }
    }

    /** Where memory can be put as it comes, if it can. */
    private Optional<MemoryPlacer> placer(Subject subject, RamLayout layout) throws IOException {
        // Of others the monitor does not show all registers that the snapshot will have, so that places may still move.
        if (request.placer().isEmpty() || !subject.processor().isX86()) {
            return Optional.empty();
        }
        Guest outline;
        try {
            outline = outline(layout);
        } catch (SourceException e) {
            // The monitor shows no registers; the snapshot has them all the same.
            return Optional.empty();
        }
        return request.placer().filter(placer -> placer.begin(outline));
    }

    /** The guest to come, as far as it is known while it still runs. A snapshot has all registers of a vCPU. */
    private Guest outline(RamLayout layout) throws IOException {
        GuestBuilder builder = Guest.builder().architecture(Architectures.X86);
        for (MemoryRegion region : layout.regions()) {
            builder.region(region, region.hasContent() ? (offset, target) -> 0 : RegionContents.absent());
        }
        RegisterDump.parse(qmp.monitor("info registers -a", QemuSource.COMMAND))
                .forEach((number, state) -> builder.vcpu(
                        number, state.toBuilder().set(X86.KERNEL_GS_BASE, 0).build(), List.of()));
        return builder.build();
    }

    private void start(Subject subject) throws IOException, Refused {
        try {
            String uri = stream.open(qmp, subject.process(), canBeCancelled);
            // At the last moment: QEMU resumes a guest that is paused.
            RunState state = RunState.ask(qmp);
            if (!state.running()) {
                throw new Refused("the guest was stopped just now (" + state.status() + "), and QEMU would resume it",
                        null);
            }
            eventsBefore = qmp.eventCount();
            started = true;
            watchdog.arm(settings.undo().withSnapshot(canBeCancelled, true));
            watch = new EventWatch(qmp, eventsBefore, this::tellWatchdog);
            qmp.execute("migrate", Map.of("uri", uri), QemuSource.COMMAND);
        } catch (SourceException e) {
            started = false;
            stream.withdraw(qmp);
            throw new Refused(e.getMessage(), e);
        }
    }

    /** From the resumption on it is somebody else who paused the guest, if it is paused. */
    private void tellWatchdog(Standstill standstill) {
        if (standstill.stopped().isPresent() && !standstill.isOurs()) {
            watchdog.arm(settings.undo().withSnapshot(canBeCancelled, false));
        }
    }

    private Standstill standstill() {
        return Standstill.of(qmp.eventsSince(eventsBefore));
    }

    private boolean isComplete() throws IOException {
        // So that it can be cancelled also where nothing comes.
        request.progress().advance(0);
        JsonNode migration;
        try {
            migration = qmp.execute("query-migrate", Map.of(), QemuSource.COMMAND);
        } catch (IOException e) {
            throw new SourceException(qmp.socket() + ": QEMU was lost during the snapshot: " + e.getMessage(), e);
        }
        String status = migration.path("status").asString("");
        if (status.equals("failed") || status.equals("cancelled") || status.equals("cancelling")) {
            throw new SourceException("QEMU's snapshot ended as '" + status + "': "
                    + migration.path("error-desc").asString("QEMU does not say why, or somebody else cancelled it"));
        }
        return status.equals("completed");
    }

    /** Ends what is under way, puts everything back and sees to it that the guest runs. Does nothing the second time. */
    private synchronized void end() throws IOException {
        if (ended) {
            return;
        }
        ended = true;
        EventWatch events = watch;
        if (events != null) {
            events.close();
        }
        try {
            end(qmp);
        } catch (IOException lost) {
            try (QmpClient again = QmpClient.connect(qmp.socket(), QemuSource.CONNECTING)) {
                end(again);
            } catch (IOException e) {
                e.addSuppressed(lost);
                throw e;
            }
        }
    }

    private void end(QmpClient monitor) throws IOException {
        long deadline = System.nanoTime() + (canBeCancelled ? ENDING : COMPLETING).toNanos();
        boolean cancelled = !canBeCancelled;
        while (started && !isSettled(monitor)) {
            if (!cancelled) {
                // Does nothing to one that is over, and only has to be tidied up.
                monitor.execute("migrate_cancel", Map.of(), QemuSource.COMMAND);
                cancelled = true;
            }
            if (System.nanoTime() > deadline) {
                throw new SourceException(qmp.socket() + ": QEMU does not end its snapshot; its migration capability "
                        + MigrationSettings.SNAPSHOT
                        + " is still on, switch it off when `query-migrate` says completed");
            }
            LockSupport.parkNanos(LOOK_NANOSECONDS);
        }
        try {
            settings.restore(monitor);
        } finally {
            // A snapshot that fails while QEMU holds the guest leaves it so.
            if (standstill().isOurs() && !isCompleted(monitor) && RunState.ask(monitor).isPaused()) {
                monitor.execute("cont", Map.of(), QemuSource.COMMAND);
            }
        }
        watchdog.disarm();
    }

    /**
     * Whether QEMU has let go of memory. It names the result before that; it closes the stream, or calls itself cancelled,
     * after it. Until then its settings stay.
     */
    private boolean isSettled(QmpClient monitor) throws IOException {
        String status = monitor.execute("query-migrate", Map.of(), QemuSource.COMMAND)
                .path("status")
                .asString("");
        return status.equals("cancelled") || RESTING.contains(status) && stream.isClosedByQemu();
    }

    /** QEMU has resumed the guest then, whether or not we came to hear of it. */
    private static boolean isCompleted(QmpClient monitor) throws IOException {
        return monitor.execute("query-migrate", Map.of(), QemuSource.COMMAND)
                .path("status")
                .asString("")
                .equals("completed");
    }

    private void endAtShutdown() {
        shuttingDown = true;
        try {
            end();
        } catch (IOException | RuntimeException e) {
            // Nobody is left to catch it.
            System.err.println("guestcore: " + e.getMessage());
        }
    }

    private void forgetShutdown() {
        try {
            Runtime.getRuntime().removeShutdownHook(onShutdown);
        } catch (IllegalStateException e) {
            // The JVM is ending and this is the hook, or it will find the work done.
            return;
        }
    }

    private Guest guest(
            Subject subject,
            RamLayout layout,
            SnapshotPages memory,
            MachineState state,
            Duration reading)
            throws Refused {
        if (state.vcpus().size() != subject.vcpus()) {
            throw new Refused("of " + subject.vcpus() + " vCPUs the snapshot has " + state.vcpus().size()
                    + " that can be read" + state.findings().stream()
                            .findFirst()
                            .map(finding -> " (" + finding.message() + ")")
                            .orElse(""),
                    null);
        }
        GuestBuilder builder = Guest.builder().architecture(subject.processor().architecture());
        for (FlatView.Mapping mapping : layout.mappings()) {
            builder.region(mapping.region(), contents(mapping, memory, state.blocks()));
        }
        for (int i = 0; i < state.vcpus().size(); i++) {
            builder.vcpu(state.vcpuNumbers().get(i), state.vcpus().get(i), List.of());
        }
        Standstill standstill = standstill();
        Instant stop = standstill.stopped().orElseThrow(Snapshot::unknownInstant);
        Duration frozen = standstill.length().orElseThrow(Snapshot::unknownInstant);
        return builder.findings(state.findings())
                .findings(layout.findings())
                .findings(watchdog.findings())
                .provenance(new Provenance(
                        subject.location(),
                        "qemu",
                        FreezeMethod.SNAPSHOT.label(),
                        Optional.of("QEMU"),
                        Optional.of(subject.version()),
                        Optional.of(stop)))
                .freeze(new Ended(frozen, reading, standstill.duringSnapshot()))
                .onClose(memory::close)
                .build();
    }

    private static RegionContents contents(FlatView.Mapping mapping, SnapshotPages memory, List<RamBlock> blocks)
            throws Refused {
        MemoryRegion region = mapping.region();
        if (!region.hasContent()) {
            return RegionContents.absent();
        }
        RamBlock block = find(region, blocks, RamBlock::name);
        if (mapping.offset() < 0 || mapping.offset() > block.size() - region.range().size()
                || mapping.offset() % 4096 != 0) {
            throw new Refused("region " + region + " does not lie in memory block " + block.name() + " of "
                    + block.size() + " bytes", null);
        }
        return memory.contents(region, block, mapping.offset());
    }

    private static Refused unknownInstant() {
        return new Refused("QEMU did not say when it stopped the guest", null);
    }

    private record Ended(Duration elapsed, Duration reading, List<Finding> findings) implements Freeze {

        @Override
        public boolean wasRunning() {
            return true;
        }

        @Override
        public FreezeMethod method() {
            return FreezeMethod.SNAPSHOT;
        }
    }
}

package dev.guestcore.source.qemu;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.output.ForgetfulSink;
import dev.guestcore.internal.writer.MemoryCopier;
import dev.guestcore.source.FreezeChoice;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.Freezer;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/** A QEMU guest, found over QMP. */
final class QemuSource implements GuestSource {

    /** How long QEMU may take for a command that only asks. */
    static final Duration COMMAND = Duration.ofSeconds(30);

    /** How long QEMU may take to greet: a host under load lets it wait. */
    static final Duration CONNECTING = Duration.ofSeconds(30);

    /** Bytes of memory that a rehearsal reads: enough for the compiler to notice. */
    private static final long REHEARSAL = 64 << 20;

    /** Once to load the code, and again because what is loaded is not fast yet. */
    private static final int LOOK_REHEARSALS = 2;

    /** More than any machine of QEMU's has. */
    static final int MOST_VCPUS = 8192;

    private static final int LONGEST_NAME = 100;

    private final String locator;
    private final Path socket;
    private final Watchdog watchdog;
    private final MonitorProcessor processor;
    private QmpClient qmp;
    private final String version;
    private final String description;
    private final List<MemoryRegion> regions;
    private final List<Integer> cpus;
    private Optional<Rehearsed> known = Optional.empty();
    private @Nullable Guest open;

    /**
     * What was found out before the guest is stopped.
     *
     * @param layout where its memory lies
     * @param cpus QEMU's numbers of its vCPUs, ascending
     * @param access the way to its memory
     */
    private record Rehearsed(RamLayout layout, List<Integer> cpus, MemoryAccess.Known access) {}

    private QemuSource(String locator, Path socket, QmpClient qmp) throws IOException {
        this.locator = locator;
        this.socket = socket;
        this.qmp = qmp;
        watchdog = new Watchdog(socket);
        String architecture = ask("query-target").path("arch").asString("unknown");
        processor = MonitorProcessor.ofTarget(architecture).orElseThrow(() -> new SourceException("qemu:" + locator
                + ": the guest is a " + QmpClient.printable(architecture, LONGEST_NAME) + " machine; known are "
                + MonitorProcessor.known()));
        version = versionText(qmp.version());
        cpus = cpus();
        regions = RamLayout.ask(qmp).regions();
        String name = QmpClient.printable(ask("query-name").path("name").asString(""), LONGEST_NAME);
        description = "QEMU " + version + ", " + (name.isEmpty() ? "guest without a name" : "guest " + name) + ", "
                + cpus.size() + (cpus.size() == 1 ? " vCPU, " : " vCPUs, ")
                + RunState.ask(qmp).status();
    }

    /** Finds the guest behind a QMP socket. */
    static GuestSource connect(String locator, Duration timeout) {
        Path socket;
        try {
            socket = Path.of(locator).toAbsolutePath();
        } catch (InvalidPathException e) {
            throw new SourceException("qemu:" + locator + ": not a path: " + e.getMessage(), e);
        }
        if (locator.isEmpty()) {
            throw new SourceException("qemu: needs the path of a QMP socket, as in qemu:/run/vm.qmp");
        }
        QmpClient qmp = null;
        try {
            qmp = QmpClient.connect(socket, timeout);
            return new QemuSource(locator, socket, qmp);
        } catch (IOException e) {
            closeQuietly(qmp);
            throw new SourceException("qemu:" + locator + ": " + e.getMessage(), e);
        } catch (RuntimeException | Error e) {
            closeQuietly(qmp);
            throw e;
        }
    }

    private static void closeQuietly(@Nullable QmpClient qmp) {
        if (qmp != null) {
            qmp.close();
        }
    }

    private JsonNode ask(String command) throws IOException {
        return qmp.execute(command, Map.of(), COMMAND);
    }

    private static String versionText(JsonNode version) {
        JsonNode numbers = version.path("qemu");
        String text = numbers.path("major").asInt(0) + "." + numbers.path("minor").asInt(0) + "."
                + numbers.path("micro").asInt(0);
        String vendor = QmpClient.printable(version.path("package").asString(""), LONGEST_NAME);
        return vendor.isEmpty() ? text : text + " (" + vendor + ")";
    }

    /** QEMU's numbers of the vCPUs, ascending. */
    private List<Integer> cpus() throws IOException {
        Set<Integer> found = new TreeSet<>();
        for (JsonNode cpu : ask("query-cpus-fast")) {
            int index = cpu.path("cpu-index").asInt(-1);
            if (index < 0 || !found.add(index) || found.size() > MOST_VCPUS) {
                throw new SourceException(
                        "qemu:" + locator + ": QEMU's list of vCPUs makes no sense: expected different"
                                + " numbers of at most " + MOST_VCPUS + " vCPUs, found "
                                + QmpClient.printable(cpu.path("cpu-index").toString(), LONGEST_NAME));
            }
        }
        if (found.isEmpty()) {
            throw new SourceException("qemu:" + locator + ": QEMU's list of vCPUs is empty");
        }
        return List.copyOf(found);
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public int vcpuCount() {
        return cpus.size();
    }

    @Override
    public boolean isLive() {
        return true;
    }

    /** Goes the whole way once while the guest runs, so that all code is loaded and compiled when it stands still. */
    @Override
    public void prepare() {
        watchdog.start();
        try (MemoryAccess access = look()) {
            processor.parse(qmp.monitor("info registers -a", COMMAND));
            MemoryCopier copier = new MemoryCopier(access.memory(), new ForgetfulSink(), Progress.none());
            for (MemoryRegion region : access.memory().regions()) {
                long left = REHEARSAL - copier.memoryBytes();
                if (region.hasContent() && left > 0) {
                    AddressRange range = region.range();
                    long last = Long.compareUnsigned(range.last() - range.first(), left - 1) < 0
                            ? range.last()
                            : range.first() + left - 1;
                    copier.copy(new AddressRange(range.first(), last));
                }
            }
        } catch (IOException e) {
            throw new SourceException("qemu:" + locator + ": " + e.getMessage(), e);
        }
    }

    @Override
    public Guest freeze(FreezeRequest request) {
        Optional<FreezeMethod> wanted = request.method();
        watchdog.start();
        try {
            reconnectIfLost();
            RunState state = RunState.ask(qmp);
            refuseIncoming(state);
            if (wanted.isEmpty() && !state.running()) {
                request.onChoice().accept(new FreezeChoice(
                        FreezeMethod.DIRECT, state.meaning() + ", so nothing has to be frozen"));
                return freeze();
            }
            if (request.registersOnly() && wanted.isEmpty()) {
                request.onChoice().accept(new FreezeChoice(FreezeMethod.DIRECT, ""));
                // What was never done before is slow the first time.
                processor.parse(qmp.monitor("info registers -a", COMMAND));
                rehearseKernelGsBase();
                return freeze(true);
            }
            if (request.rehearsal().isPresent() && state.running()) {
                request.onChoice().accept(new FreezeChoice(FreezeMethod.DIRECT, ""));
                rehearse(request.rehearsal().get());
                return freeze();
            }
            Optional<String> noSnapshot = Optional.empty();
            if (wanted.isEmpty() || wanted.get() == FreezeMethod.SNAPSHOT) {
                noSnapshot = Snapshot.refusal(qmp, watchdog);
                if (noSnapshot.isEmpty()) {
                    request.onChoice().accept(new FreezeChoice(FreezeMethod.SNAPSHOT, ""));
                    try {
                        return Snapshot.take(qmp, watchdog, request, subject());
                    } catch (Snapshot.Refused e) {
                        noSnapshot = Optional.of(e.getMessage());
                    }
                }
            }
            return Freezer.take(this, request, noSnapshot, this::lookAtRunning);
        } catch (IOException e) {
            throw new SourceException("qemu:" + locator + ": " + e.getMessage(), e);
        }
    }

    /** Lets that be done with the guest while it runs that is going to be done with it when it stands still. */
    private void rehearse(Consumer<Guest> look) throws IOException {
        try (MemoryAccess access = look()) {
            GuestBuilder builder = Guest.builder()
                    .architecture(processor.architecture())
                    .provenance(new Provenance(
                            "qemu:" + locator,
                            "qemu",
                            "",
                            Optional.of("QEMU"),
                            Optional.of(version),
                            Optional.of(Instant.now())));
            processor.parse(qmp.monitor("info registers -a", COMMAND))
                    .forEach((number, state) -> builder.vcpu(number, state, List.of()));
            rehearseKernelGsBase();
            Guest running = builder.build(access.memory());
            for (int i = 0; i < LOOK_REHEARSALS; i++) {
                look.accept(running);
            }
        } catch (CancelledException e) {
            throw e;
        } catch (RuntimeException e) {
            // Memory of a guest that runs contradicts itself. What is wrong will show when it stands still.
            return;
        }
    }

    @Override
    public FreezeChoice choose(FreezeRequest request) {
        try {
            reconnectIfLost();
            RunState state = RunState.ask(qmp);
            refuseIncoming(state);
            Optional<FreezeMethod> wanted = request.method();
            if (wanted.isEmpty() && !state.running()) {
                return new FreezeChoice(FreezeMethod.DIRECT, state.meaning() + ", so nothing has to be frozen");
            }
            Optional<String> noSnapshot = Optional.empty();
            if (wanted.isEmpty() || wanted.get() == FreezeMethod.SNAPSHOT) {
                noSnapshot = Snapshot.refusal(qmp, watchdog);
                if (noSnapshot.isEmpty()) {
                    return new FreezeChoice(FreezeMethod.SNAPSHOT, "");
                }
            }
            return Freezer.choose(this, request, noSnapshot, this::lookAtRunning);
        } catch (IOException e) {
            throw new SourceException("qemu:" + locator + ": " + e.getMessage(), e);
        }
    }

    private void refuseIncoming(RunState state) {
        if (state.isIncoming()) {
            throw new SourceException("qemu:" + locator + ": " + state.meaning() + " (" + state.status() + "), so there"
                    + " is nothing to read yet; " + state.advice().orElse("try again later"));
        }
    }

    private Snapshot.Subject subject() throws IOException {
        return new Snapshot.Subject(
                "qemu:" + locator,
                version,
                cpus().size(),
                processor,
                qmp.peer().flatMap(peer -> HostProcess.qemu(peer, socket)));
    }

    /** Looks at the guest while it may still run, and remembers what is found out for when it stands still. */
    private MemoryAccess look() throws IOException {
        RamLayout layout = RamLayout.ask(qmp);
        MemoryAccess access = MemoryAccess.open(qmp, watchdog, layout.regions(), Optional.empty());
        known = Optional.of(new Rehearsed(layout, cpus(), access.known()));
        return access;
    }

    private void reconnectIfLost() throws IOException {
        if (qmp.isLost()) {
            qmp = QmpClient.connect(socket, CONNECTING);
        }
    }

    private void lookAtRunning(Consumer<GuestMemory> use) {
        try (MemoryAccess access = look()) {
            use.accept(access.memory());
        } catch (IOException e) {
            throw new SourceException("qemu:" + locator + ": " + e.getMessage(), e);
        }
    }

    @Override
    public Guest freeze() {
        return freeze(false);
    }

    private Guest freeze(boolean registersOnly) {
        if (open != null) {
            throw new IllegalStateException("close the guest of the last freeze first");
        }
        try {
            reconnectIfLost();
            RunState state = RunState.ask(qmp);
            refuseIncoming(state);
            if (state.running()) {
                watchdog.start();
            }
            if (known.isEmpty()) {
                look().close();
            }
            QemuFreeze freeze = QemuFreeze.begin(qmp, watchdog);
            try {
                Guest guest = take(freeze, registersOnly);
                freeze.looked();
                open = registersOnly ? null : guest;
                return guest;
            } catch (IOException | RuntimeException | Error e) {
                try {
                    freeze.thaw();
                } catch (SourceException thawing) {
                    e.addSuppressed(thawing);
                }
                throw e;
            }
        } catch (IOException e) {
            throw new SourceException("qemu:" + locator + ": " + e.getMessage(), e);
        }
    }

    private Guest take(QemuFreeze freeze, boolean registersOnly) throws IOException {
        GuestBuilder builder = Guest.builder().architecture(processor.architecture());
        Rehearsed before = known.orElseThrow();
        // It may be another guest the next time.
        known = Optional.empty();
        RamLayout now = before.layout().askAgain(qmp);
        boolean sameLayout = now.equals(before.layout());
        List<MemoryRegion> layout = now.regions();
        registers(before, layout).forEach((number, state) -> builder.vcpu(number, state, List.of()));
        List<Finding> findings = new ArrayList<>(now.findings());
        if (!freeze.wasRunning()) {
            RunState state = freeze.before();
            findings.add(Finding.note(state.meaning() + " (" + state.status() + "); it is left as it is"
                    + state.advice().map(advice -> "; " + advice).orElse("")));
        } else {
            findings.addAll(watchdog.findings());
        }
        builder.provenance(new Provenance(
                "qemu:" + locator,
                "qemu",
                "",
                Optional.of("QEMU"),
                Optional.of(version),
                Optional.of(freeze.takenAt())));
        if (registersOnly) {
            freeze.thaw();
            layout.forEach(region -> builder.region(region, RegionContents.absent()));
            return builder.findings(findings).freeze(freeze).build();
        }
        MemoryAccess access = MemoryAccess.open(
                qmp, watchdog, layout, sameLayout ? Optional.of(before.access()) : Optional.empty());
        freeze.beforeThaw(access.memory()::revoke);
        findings.addAll(access.findings());
        return builder.findings(findings)
                .freeze(freeze)
                .onClose(() -> release(access, freeze))
                .build(access.memory());
    }

    /** The registers of every vCPU, by QEMU's number of it. */
    private TreeMap<Integer, RegisterState> registers(Rehearsed before, List<MemoryRegion> layout) throws IOException {
        Map<Integer, RegisterState> printed = processor.parse(qmp.monitor("info registers -a", COMMAND));
        List<Integer> numbers =
                printed.keySet().equals(Set.copyOf(before.cpus())) ? before.cpus() : cpus();
        List<Long> kernelGsBases = processor.isX86() && firstRam(layout).isPresent()
                ? KernelGsBase.ask(qmp, firstRam(layout).get().range().first())
                : List.of();
        TreeMap<Integer, RegisterState> states = new TreeMap<>();
        for (int i = 0; i < numbers.size(); i++) {
            RegisterState state = printed.get(numbers.get(i));
            if (state == null) {
                throw new SourceException("qemu:" + locator + ": QEMU's monitor printed no registers of vCPU "
                        + numbers.get(i));
            }
            states.put(numbers.get(i), kernelGsBases.size() == numbers.size()
                    ? state.toBuilder().set(X86.KERNEL_GS_BASE, kernelGsBases.get(i)).build()
                    : state);
        }
        return states;
    }

    private void rehearseKernelGsBase() throws IOException {
        if (processor.isX86()) {
            KernelGsBase.rehearse(qmp);
        }
    }

    private static Optional<MemoryRegion> firstRam(List<MemoryRegion> layout) {
        return layout.stream()
                .filter(region -> region.kind() == MemoryRegion.Kind.RAM)
                .findFirst();
    }

    private void release(MemoryAccess access, QemuFreeze freeze) {
        open = null;
        access.memory().end();
        try {
            freeze.thaw();
        } finally {
            access.close();
        }
    }

    @Override
    public void close() {
        try {
            Guest guest = open;
            if (guest != null) {
                guest.close();
            }
        } finally {
            qmp.close();
            watchdog.close();
        }
    }
}

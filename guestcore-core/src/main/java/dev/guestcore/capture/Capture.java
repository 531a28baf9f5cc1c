package dev.guestcore.capture;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.MayNotFitException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.writer.PlacedMemory;
import dev.guestcore.manifest.ManifestFiles;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * One core from one source:
 *
 * {@snippet :
 * try (GuestSource source = Guests.source("qemu:/run/vm.qmp")) {
 *     CaptureReport report = Capture.of(source)
 *             .to(Guests.format("kdump").writer(Map.of()))
 *             .withManifest()
 *             .write(Path.of("vm.core"));
 *     System.out.println(report);
 * }
 * }
 *
 * <p>What can be refused is refused before the guest is frozen. The guest runs on before the disk is waited for, and on every
 * other way out. A file gets its name only when all of it is on the disk. A dump file is a source too: capturing it converts
 * it, once for each time that it is opened. Not thread-safe; each object writes once.
 */
public final class Capture {

    private static final String WHY_LESS = "zero pages take no room, and compressed ones less";

    private final GuestSource source;
    private Optional<CoreWriter> writer = Optional.empty();
    private FreezeRequest request = FreezeRequest.shortest();
    private Progress progress = Progress.none();
    private Consumer<Finding> listener = finding -> {};
    private OutputFile.IfExists ifExists = OutputFile.IfExists.FAIL;
    private String tool = "guestcore library";
    private boolean manifest;
    private Optional<Path> manifestFile = Optional.empty();
    private boolean anyRoom;
    private UnaryOperator<Guest> view = UnaryOperator.identity();
    private boolean isWhole = true;

    private Capture(GuestSource source) {
        this.source = Objects.requireNonNull(source);
    }

    /** A capture of what {@code source} gives, which stays open. */
    public static Capture of(GuestSource source) {
        return new Capture(source);
    }

    /** What to write: a format's writer with its options. Without it, nothing can be written. */
    public Capture to(CoreWriter target) {
        writer = Optional.of(target);
        return this;
    }

    /** How to freeze the guest; by default the way that holds it for the shortest time. Progress and folder are set here. */
    public Capture freezing(FreezeRequest wanted) {
        request = Objects.requireNonNull(wanted);
        return this;
    }

    /** Who is told how far it has come, and may cancel. */
    public Capture withProgress(Progress shown) {
        progress = Objects.requireNonNull(shown);
        return this;
    }

    /** Who is told at once what the user should know while it goes on; the report has only what is known at the end. */
    public Capture withListener(Consumer<Finding> told) {
        listener = Objects.requireNonNull(told);
        return this;
    }

    /** Also writes a manifest and a file for {@code sha256sum -c} beside the core. A stream has no place beside it. */
    public Capture withManifest() {
        manifest = true;
        return this;
    }

    /** Also writes a manifest to this file. */
    public Capture withManifest(Path file) {
        manifest = true;
        manifestFile = Optional.of(file);
        return this;
    }

    /** What the manifest names as the program that wrote it ("guestcore 0.1.0"). */
    public Capture withTool(String name) {
        tool = Objects.requireNonNull(name);
        return this;
    }

    /** Replaces files that exist. Without it, they are an error before the guest is frozen. */
    public Capture replacing() {
        ifExists = OutputFile.IfExists.REPLACE;
        return this;
    }

    /** Freezes a live guest even if its core may not fit on the disk; without it, that is an error. */
    public Capture intoAnyRoom() {
        anyRoom = true;
        return this;
    }

    /**
     * Writes what this makes of the guest once it is frozen, such as one that lacks some pages. What it makes has the same regions
     * and vCPUs, and closing it closes the guest.
     */
    public Capture through(UnaryOperator<Guest> changed) {
        view = Objects.requireNonNull(changed);
        isWhole = false;
        return this;
    }

    /** How large a core becomes, about: the memory of the source in bytes; 2^63 - 1 where there is more. */
    public static long expectedBytes(GuestSource source) {
        long bytes = 0;
        for (MemoryRegion region : source.regions()) {
            if (region.hasContent()) {
                long lessOne = region.range().last() - region.range().first();
                bytes += lessOne + 1;
                if (Long.compareUnsigned(lessOne, Long.MAX_VALUE) >= 0 || bytes < 0) {
                    return Long.MAX_VALUE;
                }
            }
        }
        return bytes;
    }

    /**
     * Writes a file, which gets its name when it is whole. If anything fails, nothing of it is left.
     *
     * @throws MayNotFitException if the disk may be too small for the core of a live guest, which is not frozen then
     * @throws dev.guestcore.error.OutputException if a file exists, or cannot be written
     * @throws dev.guestcore.error.SourceException if the guest cannot be frozen or read
     * @throws UnsupportedRequestException if the format cannot hold this guest
     * @throws dev.guestcore.error.CancelledException if the progress says so
     */
    public CaptureReport write(Path file) {
        CoreWriter target = writer();
        try (OutputFile output = OutputFile.create(file, ifExists);
                CompanionFiles companions = new CompanionFiles(file, ifExists);
                Digests digests = new Digests(manifest
                        ? Optional.of(ManifestFiles.create(file, manifestFile, ifExists, tool))
                        : Optional.empty())) {
            requireRoom(output);
            PlacedMemory placed = new PlacedMemory(output, target);
            FreezeRequest placing =
                    request.withProgress(progress).withFolder(folder(file)).withPlacer(placed);
            try (Guest frozen =
                    source.freeze(isWhole ? placing : request.withProgress(progress).withFolder(folder(file)));
                    Guest guest = view.apply(frozen)) {
                WritePlan plan = plan(target, guest);
                companions.begin(plan.companions());
                try (OutputFile core = placed.fileFor(plan)) {
                    boolean inOnePass = placed.isUsed() && core == output;
                    if (!inOnePass) {
                        tellOfDoubtfulRoom(core, plan, guest);
                    }
                    CaptureReport report =
                            write(plan, guest, core.sink(), digests.files(), inOnePass, companions::write);
                    digests.files().ifPresent(
                            files -> files.finish(Optional.of(core), companions.files(), report.frozen(), progress));
                    companions.commit(core, digests.files().map(ManifestFiles::files).orElse(List.of()));
                    return report;
                }
            }
        }
    }

    private void tellOfDoubtfulRoom(OutputFile core, WritePlan plan, Guest guest) {
        core.doubtfulSpace(plan.size(), plan.storedSize(), guest.memory())
                .ifPresent(doubt -> listener.accept(Finding.note(doubt + "; going on, because that is an estimate ("
                        + WHY_LESS + "); if the disk fills up, nothing is left under that name")));
    }

    /**
     * Writes a stream, strictly forward; it stays open.
     *
     * @param name of the stream, for messages
     * @throws dev.guestcore.error.OutputException if the stream fails
     * @throws dev.guestcore.error.SourceException if the guest cannot be frozen or read
     * @throws UnsupportedRequestException if the format cannot hold this guest
     * @throws dev.guestcore.error.CancelledException if the progress says so
     */
    public CaptureReport write(WritableByteChannel channel, String name) {
        CoreWriter target = writer();
        if (manifest && manifestFile.isEmpty()) {
            throw new UnsupportedRequestException("a stream has no manifest beside it: name a file for the manifest");
        }
        try (Digests digests =
                new Digests(manifestFile.map(manifested -> ManifestFiles.ofStream(manifested, ifExists, tool)))) {
            CaptureReport report;
            try (Guest frozen = source.freeze(request.withProgress(progress));
                    Guest guest = view.apply(frozen)) {
                ChannelSink stream = new ChannelSink(channel, name);
                report = write(plan(target, guest), guest, stream, digests.files(), false, stream::flush);
            }
            digests.files().ifPresent(files -> {
                files.finish(Optional.empty(), List.of(), report.frozen(), progress);
                files.commit();
            });
            return report;
        }
    }

    private CoreWriter writer() {
        return writer.orElseThrow(() -> new IllegalStateException("no format was chosen: call to(CoreWriter) first"));
    }

    private void requireRoom(OutputFile output) {
        if (source.isLive() && !anyRoom) {
            output.doubtfulSpace(expectedBytes(source)).ifPresent(doubt -> {
                throw new MayNotFitException(
                        doubt + "; that is an estimate (" + WHY_LESS + "): free some, or choose another disk");
            });
        }
    }

    /** Writes the core and thaws the guest; what is left to do needs it no more. */
    private CaptureReport write(
            WritePlan plan,
            Guest guest,
            CoreSink target,
            Optional<ManifestFiles> digests,
            boolean inOnePass,
            Runnable afterwards) {
        long begin = System.nanoTime();
        CoreSink sink = digests.map(files -> files.digesting(target, guest)).orElse(target);
        // What is there already is passed over at once, unless it has to be read for its digests.
        WriteReport written = plan.write(sink, inOnePass && digests.isEmpty() ? unseen() : progress);
        afterwards.run();
        digests.ifPresent(files -> files.written(guest, written, progress));
        List<Finding> findings = new ArrayList<>(guest.findings());
        findings.addAll(written.notes());
        if (findings.stream().noneMatch(Finding::isDamage) && hasFailed(guest, written)) {
            findings.add(Finding.damage(Amounts.human(written.unreadableBytes())
                    + " of memory could not be read; what could be read is there"));
        }
        Optional<Freeze> freeze = guest.freeze();
        guest.close();
        freeze.ifPresent(lease -> findings.addAll(lease.findings()));
        return new CaptureReport(written, freeze, inOnePass, Duration.ofNanos(System.nanoTime() - begin), findings);
    }

    /** Tells nothing, but cancels as the progress does. */
    private Progress unseen() {
        return new Progress() {
            @Override
            public void begin(String phase, long totalBytes) {
                progress.advance(0);
            }

            @Override
            public void advance(long bytes) {
                progress.advance(0);
            }
        };
    }

    /** Where a damaged source is the reason that nothing can be written, its damage is told with the refusal. */
    private WritePlan plan(CoreWriter target, Guest guest) {
        try {
            return target.plan(guest);
        } catch (UnsupportedRequestException e) {
            guest.findings().stream().filter(Finding::isDamage).forEach(listener);
            throw e;
        }
    }

    /** What a filtered dump left out on purpose is no failure; a page that its source has but cannot give is. */
    private static boolean hasFailed(Guest guest, WriteReport report) {
        for (AddressRange range : report.unreadable()) {
            long address = range.first();
            while (true) {
                PageRun run = guest.memory().runAt(address);
                if (run.state() != PageState.EXCLUDED && run.state() != PageState.ABSENT) {
                    return true;
                }
                if (Long.compareUnsigned(run.range().last(), range.last()) >= 0) {
                    break;
                }
                address = run.range().last() + 1;
            }
        }
        return false;
    }

    private static Path folder(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        return parent == null ? file.toAbsolutePath() : parent;
    }

    /** The manifest, if one is wanted, to be closed in any case. */
    private record Digests(Optional<ManifestFiles> files) implements AutoCloseable {

        @Override
        public void close() {
            files.ifPresent(ManifestFiles::close);
        }
    }
}

package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.manifest.ManifestFiles;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.nio.channels.WritableByteChannel;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * One core from one source into one place. Whatever can be refused is refused before the guest is frozen, and the guest
 * is thawed before the disk is waited for.
 */
final class Delivery {

    /** The name that stands for standard output. */
    static final String STANDARD_OUTPUT = "-";

    private static final String WHY_LESS = "zero pages take no room, and compressed ones less";

    private final Console console;
    private final GuestSource source;
    private final CoreWriter writer;
    private final FreezeRequest request;
    private final ManifestChoice manifest;
    private final boolean anyRoom;

    /** Whether a manifest is wanted, and where. */
    record ManifestChoice(boolean wanted, Optional<Path> file) {

        /** No manifest. */
        static final ManifestChoice NONE = new ManifestChoice(false, Optional.empty());

        private Optional<ManifestFiles> beside(Path core, OutputFile.IfExists ifExists) {
            return wanted ? Optional.of(ManifestFiles.create(core, file, ifExists, tool())) : Optional.empty();
        }

        private Optional<ManifestFiles> ofStream(OutputFile.IfExists ifExists) {
            return file.map(name -> ManifestFiles.ofStream(name, ifExists, tool()));
        }

        private static String tool() {
            return "guestcore " + Build.version();
        }
    }

    /**
     * What became of it.
     *
     * @param report what was written
     * @param freeze how the guest was frozen; empty for one that does not live
     * @param writing how long it took to write
     * @param findings what is odd about the source
     */
    record Outcome(WriteReport report, Optional<Freeze> freeze, Duration writing, List<Finding> findings) {

        /** How long the guest was frozen; empty for one that did not run. */
        Optional<Duration> frozen() {
            return freeze.filter(Freeze::wasRunning).map(Freeze::elapsed);
        }
    }

    /**
     * Prepares to write what {@code source} gives.
     *
     * @param manifest whether to write one beside it
     * @param request how to freeze it; progress and folder are set here
     * @param anyRoom whether a guest may be frozen although its core may not fit on the disk
     */
    Delivery(
            Console console,
            GuestSource source,
            CoreWriter writer,
            ManifestChoice manifest,
            FreezeRequest request,
            boolean anyRoom) {
        this.anyRoom = anyRoom;
        this.manifest = manifest;
        this.console = console;
        this.source = source;
        this.writer = writer;
        this.request = request;
    }

    /** Writes a file that gets its name when it is whole. */
    Outcome toFile(Path file, boolean replace, ShownProgress progress) {
        OutputFile.IfExists ifExists = ifExists(replace);
        try (OutputFile output = OutputFile.create(file, ifExists);
                CompanionFiles companions = new CompanionFiles(file, ifExists);
                Digests digests = new Digests(manifest.beside(file, ifExists))) {
            if (source.isLive() && !anyRoom) {
                output.doubtfulSpace(expectedBytes(source)).ifPresent(doubt -> {
                    throw new OutputException(doubt + "; that is an estimate (" + WHY_LESS + "): free some, choose another"
                            + " disk, or try it with " + WritingVerb.ANY_ROOM);
                });
            }
            Outcome outcome;
            FreezeRequest toFolder = request.withProgress(progress).withFolder(folder(file));
            try (Guest guest = source.freeze(toFolder)) {
                WritePlan plan = plan(guest);
                companions.begin(plan.companions());
                output.doubtfulSpace(plan.size(), plan.storedSize(), guest.memory())
                        .ifPresent(doubt -> console.remark(Failures.PREFIX + doubt + "; going on, because that is an estimate ("
                                + WHY_LESS + "); if the disk fills up, nothing is left under that name"));
                long begin = System.nanoTime();
                CoreSink sink = digests.get()
                        .map(files -> files.digesting(output.sink(), guest))
                        .orElse(output.sink());
                WriteReport report = plan.write(sink, progress);
                companions.write();
                digests.get().ifPresent(files -> files.written(guest, report, progress));
                outcome = thaw(guest, report, begin);
            }
            Optional<Duration> frozen = outcome.frozen();
            digests.get().ifPresent(files -> files.finish(Optional.of(output), companions.files(), frozen, progress));
            progress.close();
            companions.commit(output, digests.get().map(ManifestFiles::files).orElse(List.of()));
            return outcome;
        }
    }

    private static OutputFile.IfExists ifExists(boolean replace) {
        return replace ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
    }

    /** Streams to standard output. */
    Outcome toStandardOutput(boolean replaceManifest, ShownProgress progress) {
        OutputFile.IfExists ifExists = ifExists(replaceManifest);
        WritableByteChannel channel = console.outChannel();
        console.cancellation().closeOnRequest(channel);
        try (Digests digests = new Digests(manifest.ofStream(ifExists))) {
            Outcome outcome;
            try (Guest guest = source.freeze(request.withProgress(progress))) {
                WritePlan plan = plan(guest);
                long begin = System.nanoTime();
                ChannelSink stream = new ChannelSink(channel, "standard output");
                CoreSink sink = digests.get()
                        .map(files -> files.digesting(stream, guest))
                        .orElse(stream);
                WriteReport report = plan.write(sink, progress);
                stream.flush();
                digests.get().ifPresent(files -> files.written(guest, report, progress));
                outcome = thaw(guest, report, begin);
            }
            Optional<Duration> frozen = outcome.frozen();
            digests.get().ifPresent(files -> {
                files.finish(Optional.empty(), List.of(), frozen, progress);
                files.commit();
            });
            progress.close();
            return outcome;
        }
    }

    /** The manifest, if one is wanted, to be closed in any case. */
    private record Digests(Optional<ManifestFiles> get) implements AutoCloseable {

        @Override
        public void close() {
            get.ifPresent(ManifestFiles::close);
        }
    }

    /** Where a damaged source is the reason that nothing can be written, its damage is told with the refusal. */
    private WritePlan plan(Guest guest) {
        try {
            return writer.plan(guest);
        } catch (UnsupportedRequestException e) {
            Findings.damage(guest.findings()).forEach(finding -> console.remark(Findings.remark(finding)));
            throw e;
        }
    }

    private static Outcome thaw(Guest guest, WriteReport report, long begin) {
        List<Finding> findings = new ArrayList<>(guest.findings());
        if (Findings.damage(findings).isEmpty() && hasFailed(guest, report)) {
            findings.add(Finding.damage(Amounts.human(report.unreadableBytes())
                    + " of memory could not be read; what could be read is there"));
        }
        Optional<Freeze> freeze = guest.freeze();
        guest.close();
        freeze.ifPresent(lease -> findings.addAll(lease.findings()));
        return new Outcome(report, freeze, Duration.ofNanos(System.nanoTime() - begin), findings);
    }

    /** The folder that a file lies in. */
    static Path folder(Path file) {
        Path parent = file.toAbsolutePath().getParent();
        return parent == null ? file.toAbsolutePath() : parent;
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

    /** How large a core of this source becomes, about: its memory. 2^63 - 1 where it is larger. */
    static long expectedBytes(GuestSource source) {
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

    /** The path of a file to write. */
    static Path fileToWrite(String name) {
        if (name.endsWith("/")) {
            // Path forgets the slash that says that a folder is meant.
            throw new OutputException(name + ": is the name of a folder; name a file in it");
        }
        return path(name);
    }

    /** The path of that name. */
    static Path path(String name) {
        try {
            return Path.of(name);
        } catch (InvalidPathException e) {
            throw new OutputException(
                    "'" + name + "' is not a path: " + e.getReason()
                            + "; letters that are not ASCII take a UTF-8 locale (LC_ALL=C.UTF-8)",
                    e);
        }
    }
}

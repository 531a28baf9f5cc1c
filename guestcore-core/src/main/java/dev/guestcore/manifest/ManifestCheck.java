package dev.guestcore.manifest;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.Progress;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.file.FilesBeside;
import dev.guestcore.internal.output.ForgetfulSink;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.manifest.ManifestReport.Change;
import dev.guestcore.manifest.ManifestReport.Companion;
import dev.guestcore.manifest.ManifestReport.Part;
import dev.guestcore.manifest.ManifestReport.Relation;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Compares a file with a manifest. */
final class ManifestCheck {

    private static final int CHUNK = 1 << 20;

    /** The manifest tells whole seconds, and clocks of file systems are coarse. */
    private static final Duration WHILE_WRITTEN = Duration.ofSeconds(2);

    private final ManifestContent manifest;
    private final Path path;
    private final Progress progress;

    private ManifestCheck(ManifestContent manifest, Path path, Progress progress) {
        this.manifest = manifest;
        this.path = path;
        this.progress = progress;
    }

    /** Reads the file at {@code path} once; one that differs once more, to tell where. */
    public static ManifestReport check(ManifestContent manifest, Path path, Progress progress) {
        try (WrittenFile file = new WrittenFile(path)) {
            return new ManifestCheck(manifest, path, progress).check(file);
        }
    }

    private ManifestReport check(WrittenFile file) {
        if (file.size() == manifest.fileSize()) {
            progress.begin("digesting the file", file.size());
            String digest = HexFormat.of().formatHex(digest(file, progress));
            if (digest.equals(manifest.fileSha256())) {
                return report(Relation.SAME_FILE, file, digest, List.of(), 0, 0);
            }
        }
        Optional<String> format = format();
        if (format.isPresent() && !format.get().equals(manifest.fileFormat())) {
            Optional<PieceComparison> memory = inGuest();
            if (memory.isPresent()) {
                return otherForm(file, memory.get());
            }
        }
        return locate(file);
    }

    private static byte[] digest(WrittenFile file, Progress progress) {
        MessageDigest sha = Sha256.begin();
        byte[] buffer = new byte[CHUNK];
        for (long offset = 0; offset < file.size();) {
            int count = (int) file.read(offset, MemorySegment.ofArray(buffer));
            sha.update(buffer, 0, count);
            progress.advance(count);
            offset += count;
        }
        return sha.digest();
    }

    /** The file's format; empty where it is damaged beyond recognition. */
    private Optional<String> format() {
        try (FileBytes bytes = FileBytes.open(path)) {
            return Optional.of(Guests.recognize(bytes).name());
        } catch (CancelledException e) {
            throw e;
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }

    /** Compares the memory that the file's format reads from it; empty if it cannot be opened. */
    private Optional<PieceComparison> inGuest() {
        try (Guest guest = Guests.open(path)) {
            Extents regions = manifest.regions().ranges();
            PieceComparison comparison = new PieceComparison(manifest.memory(), regions, false);
            progress.begin("comparing memory", Math.max(1, bytes(regions)));
            try (DigestingSink sink = new DigestingSink(new ForgetfulSink(), regions, false, true, comparison)) {
                MemoryReader.tell(guest.memory(), regions, sink.memory(), progress);
                sink.finish(Progress.none());
            }
            comparison.finish();
            return Optional.of(comparison);
        } catch (CancelledException e) {
            throw e;
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }

    /**
     * Whether the file can be another layout of the same guest: its format finds no damage, and has all memory that the
     * first layout stored. A page that lost its segment reads as nothing, which would be taken for a page of zeros.
     */
    private boolean isWhole() {
        try (Guest guest = Guests.open(path)) {
            Extents stored = manifest.segments();
            boolean whole = guest.findings().stream().noneMatch(finding -> finding.severity() == Severity.DAMAGE);
            for (long i = 0; whole && i < stored.count(); i++) {
                whole = isReadable(guest.memory(), stored.value(i), stored.last(i) - stored.first(i));
            }
            return whole;
        }
    }

    private static boolean isReadable(GuestMemory memory, long address, long lessOne) {
        long done = 0;
        while (true) {
            PageRun run = memory.runAt(address + done);
            if (!run.state().isReadable()) {
                return false;
            }
            long left = run.range().last() - (address + done);
            if (Long.compareUnsigned(left, lessOne - done) >= 0) {
                return true;
            }
            done += left + 1;
        }
    }

    private static long bytes(Extents regions) {
        long bytes = 0;
        for (long i = 0; i < regions.count(); i++) {
            long lessOne = regions.last(i) - regions.first(i);
            bytes += lessOne + 1;
            if (Long.compareUnsigned(lessOne, Long.MAX_VALUE) >= 0 || bytes < 0) {
                return Long.MAX_VALUE;
            }
        }
        return bytes;
    }

    private ManifestReport otherForm(WrittenFile file, PieceComparison memory) {
        List<Change> changes = new ArrayList<>();
        memory.changes().forEach(pages -> changes.add(memoryChange(pages, OptionalLong.empty())));
        return report(Relation.OTHER_FORM, file, "", changes, memory.changedPages(), 0);
    }

    private Change memoryChange(PieceComparison.Pages pages, OptionalLong offset) {
        return new Change(
                Part.MEMORY,
                pages.first(),
                pages.last(),
                pages.count(),
                Optional.of(manifest.regions().region(pages.region())),
                offset);
    }

    private ManifestReport locate(WrittenFile file) {
        Extents regions = manifest.regions().ranges();
        PieceComparison inPlace = new PieceComparison(manifest.memory(), regions, false);
        PieceComparison rest = new PieceComparison(manifest.file(), regions, true);
        progress.begin("finding what changed", file.size());
        String digest;
        try (DigestingSink sink = new DigestingSink(
                new ForgetfulSink(),
                regions,
                true,
                !manifest.otherForm(),
                piece -> (piece.region() == Piece.FILE ? rest : inPlace).piece(piece))) {
            SegmentFeed.feed(file, manifest.segments(), sink, progress);
            sink.finish(Progress.none());
            digest = HexFormat.of().formatHex(sink.fileDigest());
        }
        rest.finish();
        if (!manifest.otherForm()) {
            inPlace.finish();
        }
        PieceComparison memory = inPlace;
        // Another layout or compression of the same format moves everything, and changes nothing.
        boolean maybeMoved = manifest.otherForm() ? rest.isMostlyChanged() : memory.changedPages() > 0;
        if (manifest.otherForm() || maybeMoved) {
            Optional<PieceComparison> read = inGuest();
            if (maybeMoved && read.isPresent() && read.get().changedPages() == 0 && isWhole()) {
                return otherForm(file, read.get());
            }
            if (manifest.otherForm() && read.isPresent()) {
                memory = read.get();
            }
        }
        List<Change> changes = new ArrayList<>(placed(memory.changes()));
        long size = Math.max(file.size(), manifest.fileSize());
        for (PieceComparison.Pages pages : rest.changes()) {
            changes.add(new Change(
                    Part.FILE,
                    pages.first(),
                    Math.min(pages.last(), size - 1),
                    pages.count(),
                    Optional.empty(),
                    OptionalLong.empty()));
        }
        ends(file).ifPresent(changes::addFirst);
        return report(
                Relation.CHANGED_FILE, file, digest, changes, memory.changedPages(), rest.changedPages());
    }

    private Optional<Change> ends(WrittenFile file) {
        long wanted = manifest.fileSize();
        if (file.size() == wanted) {
            return Optional.empty();
        }
        boolean missing = file.size() < wanted;
        long first = Math.min(file.size(), wanted);
        long last = Math.max(file.size(), wanted) - 1;
        return Optional.of(new Change(
                missing ? Part.MISSING : Part.EXTRA,
                first,
                last,
                last / Piece.PAGE - first / Piece.PAGE + 1,
                Optional.empty(),
                OptionalLong.empty()));
    }

    /** Says where in the file the pages lie, if they lie there as they are. */
    private List<Change> placed(List<PieceComparison.Pages> pages) {
        List<OptionalLong> offsets = new ArrayList<>();
        pages.forEach(page -> offsets.add(OptionalLong.empty()));
        Extents segments = manifest.segments();
        for (long i = 0; i < segments.count(); i++) {
            long address = segments.value(i);
            long lessOne = segments.last(i) - segments.first(i);
            for (int at = firstFrom(pages, address);
                    at < pages.size() && Long.compareUnsigned(pages.get(at).first() - address, lessOne) <= 0;
                    at++) {
                offsets.set(at, OptionalLong.of(segments.first(i) + (pages.get(at).first() - address)));
            }
        }
        List<Change> changes = new ArrayList<>();
        for (int i = 0; i < pages.size(); i++) {
            changes.add(memoryChange(pages.get(i), offsets.get(i)));
        }
        return changes;
    }

    private static int firstFrom(List<PieceComparison.Pages> pages, long address) {
        int low = 0;
        int high = pages.size();
        while (low < high) {
            int middle = low + high >>> 1;
            if (Long.compareUnsigned(pages.get(middle).first(), address) < 0) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private ManifestReport report(
            Relation relation, WrittenFile file, String digest, List<Change> changes, long memory, long rest) {
        List<Companion> companions = new ArrayList<>();
        if (relation != Relation.OTHER_FORM) {
            manifest.companions().forEach(wanted -> companions.add(new Companion(wanted.name(), state(wanted))));
        }
        return new ManifestReport(
                relation,
                manifest.fileSize(),
                file.size(),
                manifest.fileSha256(),
                digest,
                changes.subList(0, Math.min(changes.size(), ManifestReport.MOST_CHANGES)),
                memory,
                rest,
                companions,
                relation == Relation.CHANGED_FILE ? modifiedAfterwards() : Optional.empty());
    }

    private Optional<Instant> modifiedAfterwards() {
        if (manifest.written().isEmpty()) {
            return Optional.empty();
        }
        try {
            Instant modified = Files.getLastModifiedTime(path).toInstant();
            return Optional.of(modified).filter(time -> time.isAfter(manifest.written().get().plus(WHILE_WRITTEN)));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private Companion.State state(ManifestContent.Companion wanted) {
        Path beside = path.resolveSibling(wanted.name());
        if (!Files.isRegularFile(beside) || !FilesBeside.isBeside(path, beside)) {
            return Companion.State.MISSING;
        }
        try (WrittenFile file = new WrittenFile(beside)) {
            return HexFormat.of().formatHex(digest(file, Progress.none())).equals(wanted.sha256())
                    ? Companion.State.SAME
                    : Companion.State.CHANGED;
        }
    }
}

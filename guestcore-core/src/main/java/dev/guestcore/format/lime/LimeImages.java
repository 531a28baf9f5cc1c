package dev.guestcore.format.lime;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.CheckList;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** What both formats do alike. */
final class LimeImages {

    private LimeImages() {}

    static Probe probe(FileBytes file, Dialect dialect) {
        if (!dialect.begins(file)) {
            return Probe.no("does not begin with " + String.format("%08x", dialect.magic()));
        }
        if (!file.holds(0, BlockHeader.SIZE)) {
            return Probe.almost("begins like " + dialect.kind() + ", but ends within its first header");
        }
        BlockHeader header = BlockHeader.read(file, 0);
        return dialect.matches(header)
                ? Probe.exact("begins with a block header of version " + dialect.version())
                : Probe.almost(dialect.kind() + " of version " + header.version() + ", of which Guestcore knows only "
                        + dialect.version());
    }

    static Guest open(FileBytes file, Dialect dialect) {
        CappedFindings findings = new CappedFindings();
        findings.addAll(file.findings());
        Arena arena = Arena.ofShared();
        try {
            LimeFile image = LimeFile.read(file, arena, findings, SecondCopies.AT_OPENING);
            if (image.blocks() == 0) {
                throw file.malformed(0, "first block", "a block of memory", "none that can be read",
                        "there is nothing to read in this file");
            }
            boolean bigEndian = Dialect.order(file, 0) == ByteOrder.BIG_ENDIAN;
            return Guest.builder()
                    .byteOrder(Dialect.order(file, 0))
                    .provenance(new Provenance(
                            file.name(), dialect.label(),
                            "version " + dialect.version() + (bigEndian ? ", big-endian" : ""), Optional.empty(),
                            Optional.empty(), Optional.empty()))
                    .findings(findings.list())
                    .laterFindings(file::readFailures)
                    .onClose(() -> {
                        Arenas.close(arena);
                        file.close();
                    })
                    .build(new LimeMemory(file, image));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    static List<Check> verify(FileBytes file, Dialect dialect, boolean deep, Progress progress) {
        String id = dialect.label();
        CheckList checks = new CheckList("docs/formats/lime.md");
        Probe probe = probe(file, dialect);
        checks.check(probe.match() == Probe.Match.EXACT, id + "-01", "begins with a block header of this format", 0,
                String.format("%08x, version %d", dialect.magic(), dialect.version()), probe.reason(),
                "no reader accepts it");
        if (probe.match() != Probe.Match.EXACT) {
            checks.skip(id + "-02", "all other rules", "this is no such image");
            return checks.list();
        }
        CappedFindings findings = new CappedFindings();
        try (Arena arena = Arena.ofShared()) {
            LimeFile image = LimeFile.read(file, arena, findings, deep ? Long.MAX_VALUE : SecondCopies.AT_OPENING);
            List<Finding> damage = findings.list().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .filter(finding -> image.contradiction().isEmpty()
                            || !finding.message().contains(image.contradiction()))
                    .toList();
            checks.check(damage.isEmpty(), id + "-02", "every block is whole", 0, "so",
                    damage.isEmpty() ? "so" : damage.getFirst().message(),
                    "LiME has no end mark: a reader that trusts the file takes a cut image for a whole one");
            checks.usual(image.ordered(), id + "-03", "blocks ascend and do not overlap", 0, "so",
                    image.ordered() ? "so" : "not so", "readers that use binary search miss blocks");
            boolean agrees = image.contradiction().isEmpty();
            checks.check(agrees, id + "-05", "memory that blocks hold twice is the same in both", 0, "the same bytes",
                    agrees ? "the same, as far as compared" : image.contradiction(),
                    "readers differ in which one they show");
            if (dialect == Dialect.AVML) {
                Optional<Finding> length = findings.list().stream()
                        .filter(finding -> finding.message().contains(LimeFile.STREAM_LENGTH))
                        .findFirst();
                checks.usual(length.isEmpty(), id + "-06", "each compressed block is followed by its length", 0, "so",
                        length.map(Finding::message).orElse("so"),
                        "readers that go backwards from the end lose blocks");
            }
            if (deep) {
                checks.readAll(id + "-04", new LimeMemory(file, image), progress);
            } else {
                checks.skip(id + "-04", "all memory can be read", "needs a deep check");
            }
        }
        return checks.list();
    }
}

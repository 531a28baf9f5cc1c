package dev.guestcore.manifest;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The digests of a core as it was written: SHA-256 of the file and of each memory region, and shortened ones of each page.
 * Immutable and thread-safe.
 */
public final class Manifest {

    /** How a manifest names its own format. */
    public static final String FORMAT = "guestcore-manifest";
    /** The version that is written. */
    public static final int VERSION = 1;
    /** What is appended to a core's name. */
    public static final String SUFFIX = ".manifest.json";
    /** What is appended to a core's name for the file that {@code sha256sum -c} reads. */
    public static final String LINES_SUFFIX = ".sha256";

    private final ManifestContent content;

    private Manifest(ManifestContent content) {
        this.content = content;
    }

    /** Name of the manifest of {@code core}: beside it. */
    public static Path beside(Path core) {
        return core.resolveSibling(core.getFileName() + SUFFIX);
    }

    /**
     * Writes a core as {@link CoreWriter#write(Guest, Path, Progress)} does, its manifest, and a file for
     * {@code sha256sum -c}. The digests are made while writing.
     *
     * @throws dev.guestcore.error.OutputException if one of the files exists or cannot be written; nothing is left
     *     behind then
     */
    public static WriteReport write(CoreWriter writer, Guest guest, Path file, Progress progress) {
        WritePlan plan = writer.plan(guest);
        OutputFile.IfExists ifExists = OutputFile.IfExists.FAIL;
        try (OutputFile output = OutputFile.create(file, ifExists);
                CompanionFiles companions = new CompanionFiles(file, ifExists);
                ManifestFiles manifest = ManifestFiles.create(file, Optional.empty(), ifExists, "guestcore library")) {
            companions.begin(plan.companions());
            output.requireLength(plan.size());
            WriteReport report = plan.write(manifest.digesting(output.sink(), guest), progress);
            companions.write();
            manifest.written(guest, report, progress);
            manifest.finish(Optional.of(output), companions.files(), Optional.empty(), progress);
            companions.commit(output, manifest.files());
            return report;
        }
    }

    /**
     * Reads a manifest.
     *
     * @throws dev.guestcore.error.MalformedDumpException if it is damaged, or contradicts itself
     * @throws dev.guestcore.error.SourceException if it cannot be read
     */
    public static Manifest read(Path file) {
        return new Manifest(ManifestContent.read(file));
    }

    /** Name of the core, without its folder; empty if it went into a pipe. */
    public String fileName() {
        return content.fileName();
    }

    /** Size of the core in bytes. */
    public long fileSize() {
        return content.fileSize();
    }

    /** SHA-256 of the core, hexadecimal. */
    public String fileSha256() {
        return content.fileSha256();
    }

    /** Short name of the core's format. */
    public String fileFormat() {
        return content.fileFormat();
    }

    /** How many memory regions with content the guest had. */
    public long regionCount() {
        return content.regionCount();
    }

    /**
     * A memory region.
     *
     * @param index 0 to {@link #regionCount()} - 1, by address
     */
    public MemoryRegion region(long index) {
        return content.region(index);
    }

    /** SHA-256 of a region, hexadecimal: over its ends and its pieces, as docs/manifest.md has it. */
    public String regionSha256(long index) {
        return content.regionSha256(index);
    }

    /**
     * Reads {@code file} and compares. A core of another format, layout or compression is compared by its memory.
     *
     * @throws dev.guestcore.error.SourceException if the file cannot be read
     */
    public ManifestReport verify(Path file, Progress progress) {
        return ManifestCheck.check(content, file, progress);
    }
}

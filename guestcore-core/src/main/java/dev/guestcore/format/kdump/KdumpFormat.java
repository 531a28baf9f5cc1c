package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.Opening;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The compressed kdump format of makedumpfile and QEMU ({@code docs/formats/kdump.md}). Stateless and thread-safe.
 *
 * <p>One file of a split set opens alone, with a finding about what is missing; {@link #openSplit} opens the whole set.
 */
public final class KdumpFormat implements CoreFormat {

    static final String NAME = "kdump";

    private static final String COMPRESSION = "compression";
    private static final String KEEP = "keep";

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public KdumpFormat() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String title() {
        return "kdump, compressed";
    }

    @Override
    public Probe probe(FileBytes file) {
        return KdumpHeader.isKdump(file)
                ? Probe.exact("begins with the signature KDUMP" + (file.isFlattened() ? " in a flattened file" : ""))
                : Probe.no("does not begin with the signature KDUMP");
    }

    @Override
    public Guest open(FileBytes file) {
        return KdumpFile.open(List.of(file));
    }

    /**
     * Opens a split set, written by {@code makedumpfile --split}.
     *
     * @param paths all files of the set, in any order
     */
    public static Guest openSplit(List<Path> paths) {
        List<FileBytes> files = new ArrayList<>();
        try {
            paths.forEach(path -> files.add(FileBytes.open(path)));
            return KdumpFile.open(files);
        } catch (RuntimeException | Error e) {
            files.forEach(FileBytes::close);
            throw e;
        }
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return new KdumpVerifier(List.of(file), deep, progress).run();
    }

    /**
     * Checks a split set as {@link #verify} checks one file.
     *
     * @param paths all files of the set, in any order
     * @param deep also rules that need all of the memory to be read
     */
    public static List<Check> verifySplit(List<Path> paths, boolean deep, Progress progress) {
        List<Check> checks = new ArrayList<>();
        try (Guest guest = openSplit(paths)) {
            checks.add(Opening.check(NAME, guest.findings()));
        } catch (GuestcoreException e) {
            return List.of(Opening.failed(NAME, e));
        }
        List<FileBytes> files = new ArrayList<>();
        try {
            paths.forEach(path -> files.add(FileBytes.open(path)));
            checks.addAll(new KdumpVerifier(files, deep, progress).run());
            return checks;
        } finally {
            files.forEach(FileBytes::close);
        }
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public List<WriteOption> writeOptions() {
        List<String> codecs = Stream.of(PageCodec.values()).map(PageCodec::label).toList();
        return List.of(
                new WriteOption(COMPRESSION, codecs, "how pages are compressed (default: zlib, which all readers know)"),
                WriteOption.flag(KEEP, "add what a kdump cannot carry in a record of Guestcore's own, for conversion"
                        + " back"));
    }

    @Override
    public CoreWriter writer(Map<String, String> options) {
        options.keySet().stream()
                .filter(option -> !List.of(COMPRESSION, KEEP).contains(option))
                .findFirst()
                .ifPresent(option -> {
                    throw new UnsupportedRequestException("kdump has no option '" + option + "'; it has " + COMPRESSION
                            + " and " + KEEP);
                });
        String label = options.getOrDefault(COMPRESSION, PageCodec.ZLIB.label());
        PageCodec codec = Stream.of(PageCodec.values())
                .filter(candidate -> candidate.label().equals(label))
                .findFirst()
                .orElseThrow(() -> new UnsupportedRequestException("kdump has no compression '" + label
                        + "'; it has none, zlib, lzo, snappy, zstd"));
        return new KdumpWriter(codec, options.getOrDefault(KEEP, "false").equals("true"));
    }
}

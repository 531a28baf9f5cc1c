package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.UnsupportedRequestException;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.FileBytes;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The compressed kdump format. */
public final class KdumpFormat implements CoreFormat {

    @Override
    public String name() {
        return "kdump";
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
    public List<Check> verify(FileBytes file, boolean deep, Progress progress) {
        throw new UnsupportedRequestException("not yet");
    }

    @Override
    public boolean canWrite() {
        return false;
    }

    @Override
    public List<WriteOption> writeOptions() {
        return List.of();
    }

    @Override
    public CoreWriter writer(Map<String, String> options) {
        throw new UnsupportedRequestException("not yet");
    }
}

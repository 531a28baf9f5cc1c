package dev.guestcore.format.lime;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import java.util.List;
import java.util.Map;

/** Images of LiME (docs/formats/lime.md). */
public final class LimeFormat implements OneFileFormat {

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public LimeFormat() {}

    @Override
    public String name() {
        return Dialect.LIME.label();
    }

    @Override
    public String title() {
        return "LiME image (version 1)";
    }

    @Override
    public Probe probe(FileBytes file) {
        return LimeImages.probe(file, Dialect.LIME);
    }

    @Override
    public Guest open(FileBytes file) {
        return LimeImages.open(file, Dialect.LIME);
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return LimeImages.verify(file, Dialect.LIME, deep, progress);
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public LimeWriter writer(Map<String, String> options) {
        ChosenOptions.of(this, options);
        return LimeWriter.lime();
    }
}

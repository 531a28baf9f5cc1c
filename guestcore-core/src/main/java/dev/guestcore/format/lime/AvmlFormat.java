package dev.guestcore.format.lime;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.kernel.DebuggerSupport;
import java.util.List;
import java.util.Map;

/** Images of AVML (docs/formats/lime.md). */
public final class AvmlFormat implements OneFileFormat {

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public AvmlFormat() {}

    @Override
    public String name() {
        return Dialect.AVML.label();
    }

    @Override
    public String title() {
        return "AVML image (LiME version 2, Snappy)";
    }

    @Override
    public Probe probe(FileBytes file) {
        return LimeImages.probe(file, Dialect.AVML);
    }

    @Override
    public Guest open(FileBytes file) {
        return LimeImages.open(file, Dialect.AVML);
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return LimeImages.verify(file, Dialect.AVML, deep, progress);
    }

    @Override
    public DebuggerSupport debuggers() {
        return DebuggerSupport.file()
                .withoutVolatility(
                        "its scanner misses a banner that crosses two of the 64 KiB pieces of an AVML image");
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public LimeWriter writer(Map<String, String> options) {
        ChosenOptions.of(this, options);
        return LimeWriter.avml();
    }
}

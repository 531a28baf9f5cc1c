package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.NamedParts;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.kernel.DebuggerSupport;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The compressed kdump format of makedumpfile and QEMU ({@code docs/formats/kdump.md}). Stateless and thread-safe.
 *
 * <p>One file of a split set opens alone, with a finding about what is missing; {@link SplitParts} names the whole set.
 */
public final class KdumpFormat implements CoreFormat {

    static final String NAME = "kdump";

    private static final String COMPRESSION = "compression";
    private static final String KEEP = "keep";
    private static final String MAKES_NONE = "no-made-vmcoreinfo";

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
    public Probe probe(FileSet files) {
        if (files.parts().isEmpty() || !bytes(files).stream().allMatch(KdumpHeader::isKdump)) {
            return Probe.no("does not begin with the signature KDUMP");
        }
        return Probe
                .exact("begins with the signature KDUMP" + (files.first().isFlattened() ? " in a flattened file" : ""));
    }

    @Override
    public Guest open(FileSet files) {
        return KdumpFile.open(bytes(files));
    }

    @Override
    public Optional<NamedParts> namedParts() {
        return Optional.of(new SplitParts());
    }

    @Override
    public List<Check> rules(FileSet files, boolean deep, Progress progress) {
        return new KdumpVerifier(bytes(files), deep, progress).run();
    }

    private static List<FileBytes> bytes(FileSet files) {
        return files.parts().stream().map(FileSet.Part::file).toList();
    }

    @Override
    public DebuggerSupport debuggers() {
        return DebuggerSupport.file().withNoteReaders().withoutVolatility("it does not read kdumps");
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public List<WriteOption> writeOptions() {
        List<String> codecs = Stream.of(PageCodec.values()).map(PageCodec::label).toList();
        return List.of(
                new WriteOption(COMPRESSION, codecs,
                        "how pages are compressed (default: zlib, which all readers know)"),
                WriteOption.flag(KEEP, "add what a kdump cannot carry in a record of Guestcore's own, for conversion"
                        + " back"),
                WriteOption.flag(MAKES_NONE, "do not make a VMCOREINFO note if the guest's memory holds none"));
    }

    @Override
    public KdumpWriter writer(Map<String, String> options) {
        ChosenOptions chosen = ChosenOptions.of(this, options);
        KdumpWriter writer = chosen.choice(COMPRESSION, PageCodec::ofLabel)
                .map(KdumpWriter.standard()::withCompression)
                .orElse(KdumpWriter.standard());
        writer = chosen.isOn(MAKES_NONE) ? writer.withoutMadeVmcoreInfo() : writer;
        return chosen.isOn(KEEP) ? writer.withKeep() : writer;
    }
}

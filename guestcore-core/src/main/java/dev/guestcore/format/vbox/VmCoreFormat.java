package dev.guestcore.format.vbox;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.kernel.DebuggerSupport;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The VMCore format as a service (docs/formats/vbox-vmcore.md). */
public final class VmCoreFormat implements OneFileFormat {

    static final String NAME = "vbox";

    private static final String LAYOUT = "layout";
    private static final String LARGE_PHNUM = "large-phnum";
    private static final String ANALYST_NOTES = "analyst-notes";
    private static final String KEEP = "keep";

    /** Called by the service loader. */
    public VmCoreFormat() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String title() {
        return "VirtualBox VMCore";
    }

    @Override
    public Probe probe(FileBytes file) {
        try {
            return Probe.exact("ELF core with the note " + VmCoreFile.probe(file).name() + " of VirtualBox");
        } catch (MalformedDumpException e) {
            String place = file.name() + ": at offset 0x" + Long.toHexString(e.offset()) + ": ";
            return Probe.no(e.getMessage().replace(place, ""));
        }
    }

    @Override
    public Guest open(FileBytes file) {
        return VmCoreReader.open(file);
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return VmCoreVerifier.verify(file, deep, progress);
    }

    @Override
    public DebuggerSupport debuggers() {
        return DebuggerSupport.file()
                .withoutCrash("crash needs EI_VERSION 1, and a VMCore has 0")
                .withoutDrgn("libelf needs EI_VERSION 1, and a VMCore has 0");
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public List<WriteOption> writeOptions() {
        List<String> layouts = Stream.of(VmCoreLayout.values())
                .filter(layout -> !layout.isVariant())
                .map(VmCoreLayout::label)
                .toList();
        return List.of(
                new WriteOption(
                        LAYOUT, layouts, "generation to write; unless said, that of a source VMCore, else 7.0"),
                WriteOption.flag(
                        LARGE_PHNUM, "allow more than 65534 ranges by section header 0, which VirtualBox never writes"),
                WriteOption.flag(
                        ANALYST_NOTES, "add NT_PRSTATUS and VMCOREINFO for tools that know no VirtualBox note"),
                WriteOption.flag(
                        KEEP, "add what a VMCore cannot carry in a note of Guestcore's own, for conversion back"));
    }

    @Override
    public VmCoreWriter writer(Map<String, String> options) {
        ChosenOptions chosen = ChosenOptions.of(this, options);
        VmCoreWriter writer = chosen.choice(LAYOUT, VmCoreLayout::ofLabel)
                .map(VmCoreWriter::layout)
                .orElse(VmCoreWriter.likeSource());
        writer = chosen.isOn(LARGE_PHNUM) ? writer.withLargePhnum() : writer;
        writer = chosen.isOn(ANALYST_NOTES) ? writer.withAnalystNotes() : writer;
        return chosen.isOn(KEEP) ? writer.withKeep() : writer;
    }
}

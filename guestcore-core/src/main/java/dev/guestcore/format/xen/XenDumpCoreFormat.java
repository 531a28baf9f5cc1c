package dev.guestcore.format.xen;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.ChosenOptions;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.format.WriteOption;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.kernel.DebuggerSupport;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The Xen dump-core format, every variant since Xen 3.1 (docs/formats/xen-dump-core.md). */
public final class XenDumpCoreFormat implements OneFileFormat {

    private static final String FLAVOUR = "flavour";
    private static final String KEEP = "keep";

    /** For {@link java.util.ServiceLoader}. */
    public XenDumpCoreFormat() {}

    @Override
    public String name() {
        return "xen";
    }

    @Override
    public String title() {
        return "Xen dump-core";
    }

    @Override
    public Probe probe(FileBytes file) {
        try {
            return look(file);
        } catch (MalformedDumpException | SourceException e) {
            return Probe.no("its ELF headers cannot be read");
        }
    }

    private static Probe look(FileBytes file) {
        if (!ElfHeader.isElf(file)) {
            return Probe.no("not an ELF file");
        }
        ElfHeader elf = ElfHeader.read(file);
        if (elf.type() != Elf.ET_CORE) {
            return Probe.no("an ELF file, but not a core");
        }
        if (elf.sectionHeaderOffset() <= 0) {
            return Probe.no("an ELF core without sections");
        }
        long headersEnd = elf.sectionHeaderOffset() + (long) elf.sectionHeaderCount() * elf.sectionHeaderSize();
        boolean headersBehindHeader = elf.sectionHeaderOffset() == elf.elfClass().headerSize();
        if (elf.programHeaderCount() == 0 && headersBehindHeader && headersEnd > file.size()) {
            return Probe.exact("an ELF core of sections only, cut short within their headers");
        }
        DumpFile dump = DumpFile.read(file);
        if (!dump.looksLikeDumpCore()) {
            return Probe.no("an ELF core without the section .xen_pages");
        }
        return Probe.exact(dump.isNamed()
                ? "an ELF core with the section .xen_pages"
                : "an ELF core of sections only with a note of Xen, its string table missing");
    }

    @Override
    public Guest open(FileBytes file) {
        return new DumpReader(DumpFile.read(file)).open();
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        return new DumpChecks(DumpFile.read(file)).run(deep, progress);
    }

    @Override
    public DebuggerSupport debuggers() {
        return DebuggerSupport.file()
                .withCrashThatMustBeTold("crash cannot derive the load address from a dump-core")
                .withoutDrgn("drgn finds no memory in a dump-core")
                .withoutVolatility("its scanner misses a banner that crosses two pages of a Xen dump-core")
                .withMachineFrames();
    }

    @Override
    public boolean canWrite() {
        return true;
    }

    @Override
    public List<WriteOption> writeOptions() {
        return List.of(
                new WriteOption(
                        FLAVOUR,
                        List.of("source", "hvm", "pv"),
                        "kind of dump: as the source was (default; a dump-core comes out byte for byte), hvm or pv"),
                WriteOption.flag(
                        KEEP, "add what a dump-core cannot carry in a section of Guestcore's own, for conversion"
                                + " back"));
    }

    @Override
    public XenDumpCoreWriter writer(Map<String, String> options) {
        ChosenOptions chosen = ChosenOptions.of(this, options);
        XenDumpCoreWriter writer =
                chosen.choice(FLAVOUR, XenDumpCoreFormat::writer).orElse(XenDumpCoreWriter.asSource());
        return chosen.isOn(KEEP) ? writer.withKeep() : writer;
    }

    private static Optional<XenDumpCoreWriter> writer(String flavour) {
        return switch (flavour) {
            case "source" -> Optional.of(XenDumpCoreWriter.asSource());
            case "hvm" -> Optional.of(XenDumpCoreWriter.hvm());
            case "pv" -> Optional.of(XenDumpCoreWriter.pv());
            default -> Optional.empty();
        };
    }
}

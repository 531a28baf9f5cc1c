package dev.guestcore.fuzz;

import dev.guestcore.format.kdump.KdumpSeeds;
import dev.guestcore.format.kdump.PageCodecTarget;
import dev.guestcore.format.xen.XenSeeds;
import dev.guestcore.search.SearchPatternTarget;
import dev.guestcore.source.qemu.MonitorTextTarget;
import dev.guestcore.source.qemu.QmpTarget;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** All targets. */
final class Targets {

    private static final String[] CORE_NOTES = {
        "CORE~", "QEMU~", "VMCOREINFO~", "ERASEINFO~", "GUESTCORE~", "LINUX~", "OSRELEASE=", "KERNELOFFSET=",
        "NUMBER(phys_base)=", "PAGESIZE=", "\u007fELF"
    };

    /** Makes a target when it is asked for. */
    @FunctionalInterface
    private interface Maker {

        Target make() throws IOException;
    }

    private static final Map<String, Maker> MAKERS = new TreeMap<>(Map.ofEntries(
            Map.entry("avml", () -> new FormatTarget(
                    "avml", "avml", Seeds::none, Seeds.words("AVML", "EMiL", "\u00ff\u0006~~sNaPpY"))),
            Map.entry("btf", BtfTarget::new),
            Map.entry("described", DescribedTarget::new),
            Map.entry("flattened", FlattenedTarget::new),
            Map.entry("gdb", GdbTarget::new),
            Map.entry("kallsyms", KallsymsTarget::new),
            Map.entry("monitor-text", MonitorTextTarget::new),
            Map.entry("notes", NotesTarget::new),
            Map.entry("page-codec", PageCodecTarget::new),
            Map.entry("search-pattern", SearchPatternTarget::new),
            Map.entry("page-walk", PageWalkTarget::new),
            Map.entry("qmp", () -> new QmpTarget(Scratch.FOLDER)),
            Map.entry("raw-map", RawMapTarget::new),
            Map.entry("split", SplitTarget::new),
            Map.entry("vmcoreinfo", VmcoreInfoTarget::new),
            Map.entry("vmstate", () -> new FormatTarget(
                    "vmstate",
                    "vmstate",
                    MigrationSeeds::streams,
                    Seeds.words(
                            "QEVM", "ram", "pc.ram", "pc.bios", "cpu", "cpu_common", "apic", "mc146818rtc",
                            "globalstate",
                            "LibvirtQemudSave", "LibvirtQemudPart", "\u001f\u008b\b", "\"devices\":", "\"fields\":",
                            "\"subsections\":", "\"array_len\":", "\"size\":", "\"instance_id\":", "\"vmsd_name\":",
                            "configuration/target-page-bits", "~~~~~~~\u0010", "~~~~~~~\u0008"))),
            Map.entry("manifest", ManifestTarget::new),
            Map.entry("xen-context", ContextTarget::new),
            Map.entry("elf", () -> new FormatTarget("elf", "elf", Seeds::none, Seeds.words(CORE_NOTES))),
            Map.entry("kdump", () -> new FormatTarget(
                    "kdump",
                    "kdump",
                    KdumpSeeds::dumps,
                    Seeds.words("KDUMP   ", "DISKDUMP", "makedumpfile", "x86_64", "Linux", "VMCOREINFO~"))),
            Map.entry("lime", () -> new FormatTarget("lime", "lime", Seeds::none, Seeds.words("EMiL"))),
            Map.entry("vbox", () -> new FormatTarget(
                    "vbox",
                    "vbox",
                    () -> Seeds.heads(24 << 10, Samples.VBOX_GENERATED),
                    Seeds.words("VBCORE~~", "VBCPU~~~", "\u00ff\u00ca\u00ad\u00de", "GUESTCORE~", "\u007fELF"))),
            Map.entry("xen", () -> new FormatTarget(
                    "xen",
                    "xen",
                    () -> Stream.concat(
                            XenSeeds.dumps().stream(),
                            Seeds.heads(24 << 10, List.of("xen/pvh-mini", "xen/pv32-mini")).stream())
                            .toList(),
                    Seeds.words(
                            ".shstrtab~", ".note.Xen~", ".xen_prstatus~", ".xen_shared_info~", ".xen_pages~",
                            ".xen_p2m~", ".xen_pfn~", "Xen~", "\u00ed\u00eb\u000f\u00f0", "\u00ee\u00eb\u000f\u00f0",
                            "xen-3.0-x86_64", "hvm-3.0-x86_32p"))),
            Map.entry("xen-legacy", () -> new FormatTarget(
                    "xen-legacy",
                    "xen-legacy",
                    LegacyDumps::seeds,
                    Seeds.words("\u00ed\u00eb\u000f\u00f0", "\u00ee\u00eb\u000f\u00f0", "\u00f0\u000f\u00eb\u00ed")))));

    private Targets() {}

    /** Their names, sorted. */
    static List<String> names() {
        return List.copyOf(MAKERS.keySet());
    }

    /** The target of that name. */
    static Target of(String name) {
        Maker maker = MAKERS.get(name);
        if (maker == null) {
            throw new IllegalArgumentException("there is no target '" + name + "'; there are " + names());
        }
        try {
            return maker.make();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}

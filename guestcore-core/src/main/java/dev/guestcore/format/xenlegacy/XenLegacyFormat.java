package dev.guestcore.format.xenlegacy;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.RawContext;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.OneFileFormat;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.CheckList;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.LayeredExtents;
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Dumps of {@code xm dump-core} from before 2007 (docs/formats/xen-legacy.md). Read only. */
public final class XenLegacyFormat implements OneFileFormat {

    private static final String NAME = "xen-legacy";

    /** More vCPUs than a Xen of that time could give a guest. */
    private static final long MOST_VCPUS = 4096;

    /** Larger than any context. */
    private static final long LARGEST_CONTEXT = 1 << 16;

    /** Creates the format; for {@link java.util.ServiceLoader}. */
    public XenLegacyFormat() {}

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public String title() {
        return "Xen dump from before 2007 (xm dump-core, not ELF)";
    }

    @Override
    public Probe probe(FileBytes file) {
        return LegacyDump.order(file).isPresent()
                ? Probe.exact("begins with the magic of xm dump-core")
                : Probe.no("does not begin with f00febed or f00febee");
    }

    private static LegacyDump dump(FileBytes file) {
        ByteOrder order = LegacyDump.order(file)
                .orElseThrow(() -> file.malformed(0, "magic", "f00febed or f00febee", "something else", ""));
        return LegacyDump.read(file, order);
    }

    @Override
    public Guest open(FileBytes file) {
        LegacyDump dump = dump(file);
        CappedFindings findings = new CappedFindings();
        findings.addAll(file.findings());
        FrameTable frames = new LegacyFrames(dump);
        if (frames.size() == 0) {
            throw file.malformed(8, "number of pages", "at least one in the file", "none",
                    "there is no memory in this file; dump it again");
        }
        lookAtSizes(dump, frames, findings);
        Arena arena = Arena.ofShared();
        try {
            Extents byPlace = extents(dump, frames, false, arena);
            Extents byMachine = extents(dump, frames, true, arena);
            boolean holes = byPlace.count() > 1 || byPlace.count() == 1 && isShort(byPlace, frames);
            if (byPlace.count() == 0) {
                throw file.malformed(dump.listOffset(), "frame list", "frames", "no valid one",
                        "there is no memory in this file; dump it again");
            }
            if (!holes) {
                findings.add(Finding.note(file.name() + ": the pages stand in the order in which Xen listed the frames,"
                        + " which need not be that of the guest; memory is shown in the order of the file, and by"
                        + " machine address as it was"));
            }
            Optional<ContextLayout> layout = dump.contextLayout();
            GuestBuilder guest = Guest.builder()
                    .architecture(layout.isPresent() ? Architectures.X86 : Architecture.UNKNOWN)
                    .provenance(new Provenance(
                            file.name(), NAME, dump.hvm() ? "hvm" : "pv", Optional.of("Xen"), Optional.empty(),
                            Optional.empty()))
                    .facts(facts(dump, layout, frames))
                    .machineMemory(new FileMemory(file, byMachine))
                    .laterFindings(file::readFailures)
                    .onClose(() -> {
                        Arenas.close(arena);
                        file.close();
                    });
            addVcpus(guest, dump, layout, findings);
            return guest.findings(findings.list()).build(new FileMemory(file, byPlace));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static XenFacts facts(LegacyDump dump, Optional<ContextLayout> layout, FrameTable frames) {
        int width = layout.filter(known -> known == ContextLayout.X86_32).isPresent() ? 4 : 8;
        XenFacts.Version unknown = XenFacts.Version.builder(0, 0).pageSize(LegacyDump.PAGE).build();
        return new XenFacts(!dump.hvm(), dump.hvm() ? 8 : width, unknown, Optional.empty(), Optional.of(frames));
    }

    private static boolean isShort(Extents one, FrameTable frames) {
        return one.last(0) - one.first(0) + 1 < frames.size() * LegacyDump.PAGE;
    }

    private static void lookAtSizes(LegacyDump dump, FrameTable frames, CappedFindings findings) {
        FileBytes file = dump.file();
        if (frames.size() < dump.pageCount()) {
            findings.damage(file.malformed(dump.listOffset(), "frame list", dump.pageCount() + " entries",
                    frames.size() + " up to the end of the file", "the memory of the others is lost"));
        }
        long needed = dump.pagesOffset() + dump.pageCount() * LegacyDump.PAGE;
        if (file.size() < needed) {
            findings.damage(file.malformed(file.size(), "pages", dump.pageCount() + " pages up to offset 0x"
                    + Long.toHexString(needed), "the end of the file", "the rest of the memory is lost"));
        }
    }

    /** Pages by their place in the file or by machine frame; all-ones entries stand for no page. */
    private static Extents extents(LegacyDump dump, FrameTable frames, boolean byMachine, Arena arena) {
        try (Arena scratch = Arena.ofConfined()) {
            LayeredExtents layers = new LayeredExtents(scratch);
            long first = 0;
            long count = 0;
            long place = 0;
            for (long i = 0; i <= frames.size(); i++) {
                long frame = i == frames.size() ? FrameTable.INVALID : byMachine ? frames.mfn(i) : frames.pfn(i);
                // A frame number above 2^52 is no address of a page.
                boolean valid = frame >>> 52 == 0;
                if (count > 0 && valid && frame == first + count) {
                    count++;
                    continue;
                }
                if (count > 0) {
                    long address = first * LegacyDump.PAGE;
                    layers.add(address, address + (count * LegacyDump.PAGE - 1),
                            dump.pagesOffset() + place * LegacyDump.PAGE);
                }
                first = frame;
                place = i;
                count = valid ? 1 : 0;
            }
            return layers.build(arena, LayeredExtents.Precedence.EARLIER);
        }
    }

    private static void addVcpus(
            GuestBuilder guest, LegacyDump dump, Optional<ContextLayout> layout, CappedFindings findings) {
        FileBytes file = dump.file();
        long size = dump.contextSize();
        if (dump.vcpuCount() == 0) {
            findings.damage(file.malformed(4, "number of vCPUs", "at least one", "0", "there are no registers"));
            return;
        }
        if (dump.vcpuCount() > MOST_VCPUS || size == 0 || size > LARGEST_CONTEXT) {
            findings.damage(file.malformed(4, "number of vCPUs",
                    "at most " + MOST_VCPUS + ", with contexts of at most " + LARGEST_CONTEXT + " bytes",
                    dump.vcpuCount() + " with " + size + " bytes", "the registers are lost"));
            return;
        }
        if (layout.isEmpty()) {
            findings.add(Finding.note(file.name() + ": the contexts are of " + size
                    + " bytes, which is no size of an x86 vcpu_guest_context; registers stay raw"));
        }
        for (long i = 0; i < dump.vcpuCount(); i++) {
            long at = dump.contextOffset() + i * size;
            if (!file.holds(at, size)) {
                findings.damage(file.malformed(at, "context of vCPU " + i, size + " bytes", "the end of the file",
                        "the registers of this and the following vCPUs are lost"));
                return;
            }
            byte[] context = file.bytes(at, (int) size, "context");
            RegisterState registers = layout.map(known -> VcpuContext.decode(known, context, !dump.hvm()))
                    .orElse(RegisterState.unknown());
            String kind = layout.map(ContextLayout::kind).orElse("xen.vcpu_guest_context");
            guest.vcpu(registers, List.of(new RawContext(kind, context)));
        }
    }

    @Override
    public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
        CheckList checks = new CheckList("docs/formats/xen-legacy.md");
        try {
            LegacyDump dump = dump(file);
            checks.pass("xen-legacy-01", "begins with a magic and offsets that ascend", dump.hvm() ? "hvm" : "pv");
            checks.usual(dump.contextOffset() == LegacyDump.HEADER, "xen-legacy-02",
                    "the contexts follow the header", 12, "24", Long.toString(dump.contextOffset()), "");
            checks.check(dump.vcpuCount() > 0, "xen-legacy-03", "there are vCPUs", 4, "at least one",
                    Long.toString(dump.vcpuCount()), "");
            checks.usual(dump.contextLayout().isPresent(), "xen-legacy-04", "the contexts are of a known size",
                    dump.contextOffset(), "2800 or 5168 bytes", Long.toString(dump.contextSize()), "");
            long end = dump.pagesOffset() + dump.pageCount() * LegacyDump.PAGE;
            checks.check(dump.pageCount() > 0 && file.size() >= end, "xen-legacy-05", "all pages lie in the file",
                    dump.pagesOffset(), end + " bytes", file.size() + " bytes", "");
            if (!deep) {
                checks.skip("xen-legacy-06", "all memory can be read", "needs a deep check");
                return checks.list();
            }
            try (Arena arena = Arena.ofShared()) {
                Extents extents = extents(dump, new LegacyFrames(dump), false, arena);
                checks.readAll("xen-legacy-06", new FileMemory(file, extents), progress);
            }
        } catch (MalformedDumpException e) {
            checks.check(false, "xen-legacy-01", "begins with a magic and offsets that ascend", e.offset(), "so",
                    e.getMessage(), "");
        }
        return checks.list();
    }

    @Override
    public CoreWriter writer(Map<String, String> options) {
        throw new UnsupportedRequestException(
                "xen-legacy is read only: no program reads it today; write the xen format instead");
    }
}

package dev.guestcore.format.vbox;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ImpliedRegisters;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Finds what a guest has and a VMCore of some layout has no place for. */
final class Losses {

    /** A guest in more pieces than that is not walked to its end before writing; the report still counts its pages. */
    private static final int RUNS_TO_WALK = 65_536;

    private final Guest guest;
    private final CpuLayout cpu;
    private final VmCoreLayout layout;
    private final boolean kept;
    private final List<Loss> losses = new ArrayList<>();

    private Losses(Guest guest, VmCoreLayout layout, CpuLayout cpu, boolean kept) {
        this.guest = guest;
        this.layout = layout;
        this.cpu = cpu;
        this.kept = kept;
    }

    static List<Loss> of(
            Guest guest,
            VmCoreLayout layout,
            CpuLayout cpu,
            ImpliedRegisters implied,
            WrittenRanges ranges,
            Descriptor descriptor,
            boolean kept) {
        Losses losses = new Losses(guest, layout, cpu, kept);
        losses.origin(descriptor);
        losses.regions(ranges);
        losses.pages();
        losses.registersWithoutPlace();
        losses.losses.addAll(implied.losses(vcpu -> !cpu.isRewritten(vcpu), "a VMCore", kept));
        losses.losses.addAll(CommonLosses.ofVcpuNumbers(guest, kept));
        losses.rawContexts();
        losses.otherFacts();
        return List.copyOf(losses.losses);
    }

    private void lose(String what, String why) {
        lose(what, why, true);
    }

    /** {@code keepable}: whether the record of our own has a place for it. */
    private void lose(String what, String why, boolean keepable) {
        losses.add(new Loss(what, why, kept && keepable));
    }

    private void origin(Descriptor descriptor) {
        if (guest.facts(VirtualBoxFacts.class).isEmpty()) {
            String hypervisor = guest.provenance().hypervisor().orElse(guest.provenance().format());
            String version = guest.provenance().hypervisorVersion().map(text -> " " + text).orElse("");
            lose("origin " + hypervisor + version,
                    "the core descriptor must name a VirtualBox version; it says " + descriptor.versionText(),
                    guest.provenance().hypervisor().isPresent());
        }
        guest.provenance()
                .takenAt()
                .ifPresent(time -> lose("time of the freeze " + time, "a VMCore has no place for it"));
    }

    private void regions(WrittenRanges ranges) {
        long named = 0;
        long readOnly = 0;
        for (MemoryRegion region : guest.memory().regions()) {
            named += region.name().isEmpty() ? 0 : 1;
            readOnly += region.kind() == MemoryRegion.Kind.ROM ? 1 : 0;
        }
        if (named > 0) {
            lose("names of " + named + " memory regions", "a VMCore has no names");
        }
        if (readOnly > 0) {
            lose("kind ROM of " + readOnly + " memory regions", "a VMCore tells devices only, ROM reads back as RAM");
        }
        if (ranges.isMerged()) {
            lose("borders between adjacent memory regions of one kind",
                    "more than " + WrittenRanges.MOST + " ranges, merged to " + ranges.count());
        }
    }

    private void pages() {
        Map<PageState, Long> firstPlaces = new EnumMap<>(PageState.class);
        int runs = 0;
        for (MemoryRegion region : guest.memory().regions()) {
            if (!region.hasContent()) {
                continue;
            }
            AddressRange range = region.range();
            long address = range.first();
            while (runs++ < RUNS_TO_WALK) {
                PageRun run = guest.memory().runAt(address);
                if (!run.state().isReadable()) {
                    firstPlaces.putIfAbsent(run.state(), address);
                }
                if (Long.compareUnsigned(run.range().last(), range.last()) >= 0) {
                    break;
                }
                address = run.range().last() + 1;
            }
        }
        firstPlaces.forEach((state, address) -> lose(
                "state " + state.name().toLowerCase(Locale.ROOT) + " of pages, the first at 0x"
                        + Long.toHexString(address),
                "written as zeros, a VMCore does not mark them",
                state != PageState.ABSENT));
    }

    private void registersWithoutPlace() {
        Set<Register> places = cpu.registers();
        Set<Register> lost = new LinkedHashSet<>();
        Set<Register> cut = new LinkedHashSet<>();
        for (Vcpu vcpu : guest.vcpus()) {
            for (Register register : vcpu.registers().known()) {
                if (!places.contains(register)) {
                    lost.add(register);
                } else if (register.bits() <= Long.SIZE
                        && register instanceof X86 known
                        && cpu.cuts(known, vcpu.registers().get(register))) {
                    cut.add(register);
                }
            }
        }
        if (!lost.isEmpty()) {
            lose(list(lost), "layout " + layout.label() + " has no place for " + (lost.size() == 1 ? "it" : "them"));
        }
        if (!cut.isEmpty()) {
            lose("high bits of " + list(cut), "the fields of layout " + layout.label() + " are narrower");
        }
    }

    private static String list(Set<Register> registers) {
        String names = registers.stream()
                .map(Register::label)
                .filter(label -> !label.startsWith("ymm") && !label.startsWith("zmm"))
                .collect(Collectors.joining(", "));
        boolean avx = registers.stream().anyMatch(register -> register.bits() == 256);
        boolean avx512 = registers.stream().anyMatch(register -> register.bits() == 512);
        String all = Stream.of(names, avx ? "upper halves of ymm0 to ymm15" : "", avx512 ? "zmm0 to zmm31" : "")
                .filter(part -> !part.isEmpty())
                .collect(Collectors.joining(", "));
        return (registers.size() == 1 ? "register " : "registers ") + all;
    }

    private void rawContexts() {
        Set<String> kinds = new LinkedHashSet<>();
        for (Vcpu vcpu : guest.vcpus()) {
            vcpu.rawContexts().stream()
                    .map(RawContext::kind)
                    .filter(kind -> !kind.equals(cpu.kind()))
                    .forEach(kinds::add);
        }
        kinds.forEach(kind -> lose("raw context " + kind, "its registers are written in the form of " + cpu.kind()));
    }

    private void otherFacts() {
        for (DumpFacts facts : guest.facts()) {
            if (!(facts instanceof VirtualBoxFacts)) {
                lose("facts of another hypervisor: " + String.join(", ", facts.describe().keySet()),
                        "a VMCore has no place for them");
            }
        }
        if (guest.machineMemory().isPresent()) {
            lose("memory by machine frame", "a VMCore holds guest-physical memory only", true);
        }
    }
}

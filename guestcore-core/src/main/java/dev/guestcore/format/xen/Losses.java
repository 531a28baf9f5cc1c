package dev.guestcore.format.xen;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.xen.ContextLayout;
import dev.guestcore.internal.xen.VcpuContext;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What a dump-core cannot carry, one loss a group. */
final class Losses {

    private Losses() {}

    /**
     * Looks for losses.
     *
     * @param layoutOf the structure that holds a vCPU's registers; empty if its raw context is taken as it is
     * @param keptKind raw contexts whose kind begins so are written; none if empty
     */
    static List<Loss> of(Guest guest, Function<Vcpu, Optional<ContextLayout>> layoutOf, String keptKind) {
        List<Loss> losses = new ArrayList<>();
        addRegions(guest, losses);
        addRegisters(guest, layoutOf, losses);
        addContexts(guest, keptKind, losses);
        losses.addAll(CommonLosses.ofVcpuNumbers(guest, false));
        losses.addAll(CommonLosses.ofTime(guest));
        if (guest.facts(VirtualBoxFacts.class).isPresent()) {
            losses.add(new Loss("facts about VirtualBox", "a dump-core has room for facts about Xen only", false));
        }
        guest.facts().stream()
                .filter(facts -> !(facts instanceof XenFacts) && !(facts instanceof VirtualBoxFacts))
                .forEach(facts -> losses.add(new Loss(
                        "facts: " + String.join(", ", facts.describe().keySet()),
                        "a dump-core has room for facts about Xen only",
                        false)));
        return losses;
    }

    private static void addRegions(Guest guest, List<Loss> losses) {
        long devices = 0;
        long roms = 0;
        long named = 0;
        for (MemoryRegion region : guest.memory().regions()) {
            devices += region.kind() == MemoryRegion.Kind.DEVICE ? 1 : 0;
            roms += region.kind() == MemoryRegion.Kind.ROM ? 1 : 0;
            named += region.name().isEmpty() ? 0 : 1;
        }
        if (devices > 0) {
            losses.add(new Loss(devices + " device regions", "a dump-core lists pages with content only", false));
        }
        if (roms > 0) {
            losses.add(new Loss("kind ROM of " + roms + " regions", "a dump-core does not tell ROM from RAM", false));
        }
        if (named > 0) {
            losses.add(new Loss("names of " + named + " regions", "a dump-core has no names for memory", false));
        }
    }

    private static void addRegisters(
            Guest guest, Function<Vcpu, Optional<ContextLayout>> layoutOf, List<Loss> losses) {
        Map<Register.Group, Set<X86>> lost = new EnumMap<>(Register.Group.class);
        Set<X86> cut = new TreeSet<>();
        for (Vcpu vcpu : guest.vcpus()) {
            Optional<ContextLayout> layout = layoutOf.apply(vcpu);
            if (layout.isEmpty()) {
                continue;
            }
            for (Register register : vcpu.registers().known()) {
                if (!(register instanceof X86 x86)) {
                    continue;
                }
                if (!VcpuContext.holds(layout.get(), x86)) {
                    lost.computeIfAbsent(x86.group(), group -> new TreeSet<>()).add(x86);
                } else if (isCut(layout.get(), vcpu, x86)) {
                    cut.add(x86);
                }
            }
        }
        lost.forEach((group, registers) -> losses.add(
                new Loss(labels(registers), "vcpu_guest_context has no place for " + what(group), false)));
        if (!cut.isEmpty()) {
            losses.add(new Loss(
                    "upper half of " + labels(cut), "a 32-bit vcpu_guest_context has 32 bits for each", false));
        }
    }

    private static boolean isCut(ContextLayout layout, Vcpu vcpu, X86 register) {
        return layout.word() == 4
                && register.bits() == Long.SIZE
                && register != X86.CR3
                && register.group() != Register.Group.FPU
                && vcpu.registers().get(register) >>> Integer.SIZE != 0;
    }

    private static String labels(Set<X86> registers) {
        return "registers " + registers.stream().map(X86::label).collect(Collectors.joining(" "));
    }

    private static String what(Register.Group group) {
        return switch (group) {
            case GENERAL -> "these in its 32-bit form";
            case SEGMENT -> "the hidden parts of segments";
            case DESCRIPTOR_TABLE -> "descriptor tables and task register";
            case CONTROL, DEBUG -> "these";
            case MSR -> "model-specific registers";
            case FPU, VECTOR -> "more than the FXSAVE area";
        };
    }

    private static void addContexts(Guest guest, String keptKind, List<Loss> losses) {
        guest.vcpus().stream()
                .flatMap(vcpu -> vcpu.rawContexts().stream())
                .map(RawContext::kind)
                .filter(kind -> keptKind.isEmpty() || !kind.startsWith(keptKind))
                .distinct()
                .sorted()
                .forEach(kind -> losses.add(new Loss(
                        "raw context " + kind, "the written file has a structure of its own for vCPUs", false)));
    }
}

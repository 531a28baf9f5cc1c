package dev.guestcore.internal.writer;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Vcpu;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.internal.text.Numbers;
import dev.guestcore.kernel.VmcoreInfoChoice;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** What formats lose that know nothing but addresses and bytes. */
public final class CommonLosses {

    private static final int MOST_REGIONS = 16;

    private CommonLosses() {}

    /** Kinds and names of regions, for a format in which all memory is RAM without a name. */
    public static List<Loss> ofRegions(GuestMemory memory) {
        List<Loss> losses = new ArrayList<>();
        long more = 0;
        long named = 0;
        for (MemoryRegion region : memory.regions()) {
            if (!region.name().isEmpty()) {
                named++;
            }
            if (region.kind() == MemoryRegion.Kind.RAM) {
                continue;
            }
            if (losses.size() == MOST_REGIONS) {
                more++;
                continue;
            }
            AddressRange range = region.range();
            losses.add(
                    region.kind() == MemoryRegion.Kind.ROM
                            ? new Loss("kind ROM of " + range, "the format does not tell ROM from RAM", false)
                            : new Loss("device range " + range, "the format has memory only", false));
        }
        if (more > 0) {
            losses.add(new Loss("kinds of " + more + " more regions", "the format has memory only", false));
        }
        if (named > 0) {
            losses.add(new Loss(named == 1 ? "the name of 1 region" : "names of " + named + " regions",
                    "the format has none", false));
        }
        return losses;
    }

    /** Facts other than those that the format carries, and machine frames. */
    public static List<Loss> ofFacts(Guest guest, Set<Class<? extends DumpFacts>> carried) {
        List<Loss> losses = new ArrayList<>();
        for (DumpFacts facts : guest.facts()) {
            if (!carried.contains(facts.getClass())) {
                losses.add(new Loss(
                        "facts: " + String.join(", ", facts.describe().keySet()), "the format has no place", false));
            }
        }
        if (guest.machineMemory().isPresent()) {
            losses.add(new Loss("machine frame numbers", "the format has guest-physical addresses only", false));
        }
        return losses;
    }

    /** When the guest stood still, for a format that has no place for it. */
    public static List<Loss> ofTime(Guest guest) {
        return guest.provenance()
                .takenAt()
                .map(time -> List.of(new Loss("time of the capture " + time, "the format has no place for it", false)))
                .orElse(List.of());
    }

    /**
     * The numbers of vCPUs, for a format that counts them from 0.
     *
     * @param keepable whether a record of our own keeps them
     */
    public static List<Loss> ofVcpuNumbers(Guest guest, boolean keepable) {
        List<Integer> numbers = guest.vcpus().stream().map(Vcpu::index).toList();
        return numbers.isEmpty() || numbers.getLast() == numbers.size() - 1
                ? List.of()
                : List.of(new Loss(
                        "numbers of vCPUs, which are " + Numbers.runs(numbers),
                        "the format counts vCPUs from 0",
                        keepable));
    }

    /** That the VMCOREINFO which is written as a note may be another kernel's. */
    public static List<Loss> ofDoubt(Optional<VmcoreInfoChoice> vmcoreInfo) {
        return vmcoreInfo
                .flatMap(VmcoreInfoChoice::doubt)
                .map(doubt -> List.of(new Loss("which VMCOREINFO is that of this kernel", doubt, false)))
                .orElse(List.of());
    }

    /** All registers, for a format that has none. */
    public static List<Loss> ofVcpus(Guest guest) {
        List<Vcpu> vcpus = guest.vcpus();
        return vcpus.isEmpty()
                ? List.of()
                : List.of(new Loss("registers of " + vcpus.size() + " vCPUs", "the format has memory only", false));
    }
}

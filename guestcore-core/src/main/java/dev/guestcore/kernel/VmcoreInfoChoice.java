package dev.guestcore.kernel;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Which of several VMCOREINFO texts belongs to the running kernel. Memory may hold those of a kernel that ran before
 * (kexec, a crash kernel), of a nested guest, or of a file in the page cache. The one counts whose kernel a vCPU's page
 * tables map where it says to lie; or else the one whose own page tables do so; or else the first, ready notes before bare
 * texts.
 *
 * @param chosen the one that counts
 * @param agreement what confirms it
 * @param isConfirmed whether something confirms it and no other; also true if all are equal
 * @param all everything that was found, by address
 */
public record VmcoreInfoChoice(VmcoreInfo chosen, Agreement agreement, boolean isConfirmed, List<VmcoreInfo> all) {

    /** What speaks for a VMCOREINFO, the strongest first. */
    public enum Agreement {
        /** The page tables of a vCPU map this kernel. */
        VCPU,
        /** The page tables that it names map this kernel; no vCPU is known to use them. */
        OWN_TABLES,
        /** Nothing. */
        NONE
    }

    /** Copies the list. */
    public VmcoreInfoChoice {
        Objects.requireNonNull(chosen);
        Objects.requireNonNull(agreement);
        all = List.copyOf(all);
    }

    /**
     * The choice among finds; empty if there are none.
     *
     * @param finds as {@link VmcoreInfo.Collector#all()} gives them: where nothing speaks for any, the first counts
     */
    public static Optional<VmcoreInfoChoice> among(Guest guest, List<VmcoreInfo> finds) {
        VmcoreInfo best = null;
        Agreement bestAgreement = Agreement.NONE;
        List<VmcoreInfo> equallyGood = new ArrayList<>();
        for (VmcoreInfo find : finds) {
            Agreement agreement = agreement(guest, find);
            if (best == null || agreement.compareTo(bestAgreement) < 0) {
                best = find;
                bestAgreement = agreement;
                equallyGood.clear();
            }
            if (agreement == bestAgreement) {
                equallyGood.add(find);
            }
        }
        if (best == null) {
            return Optional.empty();
        }
        List<VmcoreInfo> sorted = new ArrayList<>(finds);
        sorted.sort((left, right) -> Long.compareUnsigned(left.address(), right.address()));
        boolean same = isOneText(finds);
        boolean confirmed = same || bestAgreement != Agreement.NONE && isOneText(equallyGood);
        return Optional.of(new VmcoreInfoChoice(best, bestAgreement, confirmed, sorted));
    }

    private static boolean isOneText(List<VmcoreInfo> finds) {
        return finds.stream().allMatch(find -> Arrays.equals(find.bytes(), finds.getFirst().bytes()));
    }

    /**
     * Searches memory until a find agrees with the page tables of a vCPU, or to its end.
     *
     * @param longest how many bytes there is room for; what is longer is passed over
     * @param progress may cancel
     */
    public static Optional<VmcoreInfoChoice> search(Guest guest, int longest, Progress progress) {
        VmcoreInfo.Collector finds = VmcoreInfo.findAll(
                guest.memory(), longest, progress, find -> find.isNote() && agreement(guest, find) == Agreement.VCPU);
        return among(guest, finds.all());
    }

    /** The same for finds of any length. */
    public static Optional<VmcoreInfoChoice> search(Guest guest, Progress progress) {
        return search(guest, Integer.MAX_VALUE, progress);
    }

    /** The same to the end of memory in any case, so that all there are get listed. */
    static Optional<VmcoreInfoChoice> searchAll(Guest guest, Progress progress) {
        return among(
                guest,
                VmcoreInfo.findAll(guest.memory(), Integer.MAX_VALUE, progress, find -> false).all());
    }

    /** The note that the dump itself has; such a text has no address. */
    static Optional<VmcoreInfo> note(Guest guest) {
        return guest.facts(VmcoreInfoFacts.class).map(note -> new VmcoreInfo(0, note.vmcoreInfo()));
    }

    static Agreement agreement(Guest guest, VmcoreInfo info) {
        VmcoreInfoFields fields = info.fields();
        Optional<Vcpu> vcpu = KernelTables.vcpuThatMaps(guest, fields);
        if (vcpu.isPresent()) {
            return Agreement.VCPU;
        }
        return KernelTables.named(guest, fields).filter(KernelTables.Own::confirmed).isPresent()
                ? Agreement.OWN_TABLES
                : Agreement.NONE;
    }

    /** Whether there was a choice: texts that differ. */
    public boolean isAmongSeveral() {
        return !isOneText(all);
    }

    /** Where all of them lie, for people. */
    public String places() {
        return all.stream()
                .map(find -> "0x" + Long.toHexString(find.address()))
                .collect(Collectors.joining(", "));
    }

    /** One sentence on a choice that nothing confirms; empty where there is no doubt. */
    public Optional<String> doubt() {
        return isConfirmed
                ? Optional.empty()
                : Optional
                        .of("memory holds " + all.size() + " different VMCOREINFO texts, at guest-physical " + places()
                                + "; page tables confirm " + (agreement == Agreement.NONE ? "none" : "more than one")
                                + " of them, so the one at 0x" + Long.toHexString(chosen.address())
                                + " that is used may be that of another kernel");
    }
}

package dev.guestcore.internal.writer;

import dev.guestcore.Guest;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.ElfMachine;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.format.Loss;
import dev.guestcore.kernel.VmcoreInfoChoice;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;

/** The processor of a guest, for a format that must name one. */
public final class NamedProcessor {

    private NamedProcessor() {}

    /**
     * Whether the source does not say of which processor it is: nothing but memory, as in a raw or a LiME image. Formats that
     * must name one then say x86, unless the memory is big-endian. A dump that could say it and names none that is known is
     * another matter: nothing is assumed of it.
     */
    public static boolean isAssumed(Guest guest) {
        return guest.architecture() == Architecture.UNKNOWN
                && guest.memory().byteOrder() == ByteOrder.LITTLE_ENDIAN
                && guest.facts(ElfFacts.class).isEmpty();
    }

    /** The processor that is named: the guest's own, or the one that is assumed. */
    public static Architecture of(Guest guest) {
        return isAssumed(guest) ? Architectures.X86 : guest.architecture();
    }

    /**
     * That a processor is assumed.
     *
     * @param format names the format in the report ("an ELF core")
     * @param other what to do if it is another one; continues a sentence
     * @param vmcoreInfo of the kernel that was found in memory
     */
    public static List<Loss> losses(Guest guest, String format, String other, Optional<VmcoreInfoChoice> vmcoreInfo) {
        Optional<ElfMachine> kernel =
                vmcoreInfo.flatMap(found -> Architectures.machineOfVmcoreInfo(found.chosen().text()));
        if (!isAssumed(guest) || kernel.filter(Architectures.X86.machines()::contains).isPresent()) {
            return List.of();
        }
        String why = "the source does not name one, and " + format + " must; it says x86-64, "
                + kernel.map(machine -> "though the kernel in memory is one for " + machine.label() + ", ")
                        .orElse("")
                + "and " + other;
        return List.of(new Loss("machine", why, false));
    }
}

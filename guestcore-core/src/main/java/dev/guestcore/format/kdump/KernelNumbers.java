package dev.guestcore.format.kdump;

import dev.guestcore.hypervisor.VmcoreInfoFacts;
import java.util.Optional;

/** Numbers in VMCOREINFO; what is no number counts as missing. */
final class KernelNumbers {

    private KernelNumbers() {}

    /** How far the kernel lies from where it was linked for, in bytes; negative under KASLR as often as not. */
    static Optional<Long> physicalBase(VmcoreInfoFacts facts) {
        return decimal(facts, "NUMBER(phys_base)");
    }

    static Optional<Long> decimal(VmcoreInfoFacts facts, String key) {
        return facts.value(key).flatMap(text -> parse(text.strip(), 10));
    }

    static Optional<Long> hexadecimal(VmcoreInfoFacts facts, String key) {
        return facts.value(key).flatMap(text -> parse(text.strip(), 16));
    }

    private static Optional<Long> parse(String text, int radix) {
        try {
            return Optional.of(radix == 16 ? Long.parseUnsignedLong(text, 16) : Long.parseLong(text));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }
}

package dev.guestcore.facts;

import dev.guestcore.cpu.KernelNumbers;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.LongStream;

/**
 * The lines {@code KEY=VALUE} of VMCOREINFO (documentation of Linux, admin-guide/kdump/vmcoreinfo). Immutable. Lines
 * that are no such pair are left out; if a key occurs twice, the first counts, as in crash and makedumpfile.
 */
public final class VmcoreInfoFields implements KernelNumbers {

    private final Map<String, String> values;

    private VmcoreInfoFields(Map<String, String> values) {
        this.values = values;
    }

    /** Takes the text apart. Never fails. */
    public static VmcoreInfoFields parse(String text) {
        Map<String, String> values = new LinkedHashMap<>();
        text.lines().forEach(line -> {
            int equals = line.indexOf('=');
            if (equals > 0) {
                values.putIfAbsent(line.substring(0, equals), line.substring(equals + 1));
            }
        });
        return new VmcoreInfoFields(Collections.unmodifiableMap(values));
    }

    /** All pairs in the order of the text. */
    public Map<String, String> values() {
        return values;
    }

    /** The value of a key. */
    @Override
    public Optional<String> value(String key) {
        return Optional.ofNullable(values.get(key));
    }

    /** Release of the kernel ("6.1.0-18-amd64"). */
    public Optional<String> release() {
        return value("OSRELEASE");
    }

    /** {@code SYMBOL(name)}: the virtual address of a symbol, written in hexadecimal. */
    @Override
    public OptionalLong symbol(String name) {
        return parsed("SYMBOL(" + name + ")", 16);
    }

    /** The virtual addresses of all symbols. */
    public LongStream symbols() {
        return values.keySet().stream()
                .filter(key -> key.startsWith("SYMBOL(") && key.endsWith(")"))
                .map(key -> parsed(key, 16))
                .flatMapToLong(OptionalLong::stream);
    }

    /** {@code NUMBER(name)}: a number, written in decimal, possibly negative, or in hexadecimal after {@code 0x}. */
    @Override
    public OptionalLong number(String name) {
        return parsed("NUMBER(" + name + ")", 10);
    }

    /**
     * {@code NUMBER(phys_base)}: how far the kernel lies from where it was linked for in guest-physical memory, in bytes;
     * negative under KASLR as often as not.
     */
    public OptionalLong physicalBase() {
        return number("phys_base");
    }

    /** {@code OFFSET(struct.member)}: where a member lies in its structure, in bytes. */
    public OptionalLong offset(String member) {
        return parsed("OFFSET(" + member + ")", 10);
    }

    /** {@code SIZE(struct)}: the size of a structure, in bytes. */
    public OptionalLong size(String structure) {
        return parsed("SIZE(" + structure + ")", 10);
    }

    /** {@code BUILD-ID}: the identity of the kernel's file, in hexadecimal digits; since Linux 5.9. */
    public Optional<String> buildId() {
        return value("BUILD-ID").map(String::strip).filter(id -> id.matches("[0-9a-f]{8,64}"));
    }

    /**
     * {@code NUMBER(sme_mask)}: the address bit that marks encrypted pages (AMD SME and SEV) and is no part of an address;
     * 0 where memory is not encrypted, and what is no such bit is none.
     */
    public long encryptionMask() {
        long mask = number("sme_mask").orElse(0);
        boolean isOneAddressBit = Long.bitCount(mask) == 1 && (mask & 0x000f_ffff_ffff_f000L) != 0;
        return isOneAddressBit ? mask : 0;
    }

    /** {@code NUMBER(pgtable_l5_enabled)}: whether the kernel uses page tables of five levels; empty if it does not say. */
    public Optional<Boolean> fiveLevels() {
        OptionalLong stated = number("pgtable_l5_enabled");
        return stated.isPresent() ? Optional.of(stated.getAsLong() != 0) : Optional.empty();
    }

    /** {@code KERNELOFFSET}: by how much KASLR moved the kernel in virtual memory, written in hexadecimal. */
    public OptionalLong kernelOffset() {
        return parsed("KERNELOFFSET", 16);
    }

    private OptionalLong parsed(String key, int radix) {
        String value = values.getOrDefault(key, "").strip();
        try {
            if (value.startsWith("0x")) {
                return OptionalLong.of(Long.parseUnsignedLong(value.substring(2), 16));
            }
            return OptionalLong.of(
                    value.startsWith("-") ? Long.parseLong(value, radix) : Long.parseUnsignedLong(value, radix));
        } catch (NumberFormatException e) {
            return OptionalLong.empty();
        }
    }
}

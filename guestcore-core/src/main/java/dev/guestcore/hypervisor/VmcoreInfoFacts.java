package dev.guestcore.hypervisor;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * What the guest's Linux kernel says about itself for whoever reads its dump: the VMCOREINFO note, lines of
 * {@code KEY=value} as the kernel's crash_core.c writes them.
 *
 * @param vmcoreInfo the text as bytes, as the dump has it; do not modify
 */
public record VmcoreInfoFacts(byte[] vmcoreInfo) implements HypervisorFacts {

    /** Checks for null. */
    public VmcoreInfoFacts {
        Objects.requireNonNull(vmcoreInfo);
    }

    /** The value behind {@code key=} on the first line that begins so, without the end of the line. */
    public Optional<String> value(String key) {
        return text().lines()
                .filter(line -> line.startsWith(key + "="))
                .map(line -> line.substring(key.length() + 1))
                .findFirst();
    }

    /** The whole text. */
    public String text() {
        return new String(vmcoreInfo, StandardCharsets.ISO_8859_1);
    }

    @Override
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        value("OSRELEASE").ifPresent(release -> facts.put("kernel release", release));
        value("KERNELOFFSET").ifPresent(offset -> facts.put("kernel offset", "0x" + offset));
        value("NUMBER(phys_base)").ifPresent(base -> facts.put("phys_base", base));
        facts.put("VMCOREINFO", vmcoreInfo.length + " bytes");
        return facts;
    }
}

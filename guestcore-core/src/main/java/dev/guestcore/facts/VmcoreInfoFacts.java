package dev.guestcore.facts;

import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * What the guest's Linux kernel says about itself for dump analysers: the VMCOREINFO note, lines of
 * {@code KEY=value} as the kernel's crash_core.c writes them.
 *
 * @param vmcoreInfo the text as bytes, as the dump has it; do not modify
 */
public record VmcoreInfoFacts(byte[] vmcoreInfo) implements DumpFacts {

    /** Checks for null. */
    public VmcoreInfoFacts {
        Objects.requireNonNull(vmcoreInfo);
    }

    /** The line of a text that Guestcore made, because the kernel's own is not in memory. Other tools pass over it. */
    public static final String MADE = "GUESTCORE=made from symbols and types in memory";

    /** Owner of the note that holds the text. */
    public static final String NOTE = "VMCOREINFO";

    private static final Pattern LINE = Pattern.compile("[A-Za-z][^=\\s]*=.*");

    /**
     * Whether the content of a note is such a text: characters and ends of lines, zeros at the end at most, and at least one
     * line {@code KEY=value}. A guest may put anything there; Windows does.
     */
    public static boolean isText(byte[] content) {
        int end = content.length;
        while (end > 0 && content[end - 1] == 0) {
            end--;
        }
        for (int i = 0; i < end; i++) {
            if (content[i] < ' ' && content[i] != '\n' && content[i] != '\t' && content[i] != '\r') {
                return false;
            }
        }
        return new String(content, 0, end, StandardCharsets.ISO_8859_1)
                .lines()
                .anyMatch(line -> LINE.matcher(line).matches());
    }

    /** The text taken apart. */
    public VmcoreInfoFields fields() {
        return VmcoreInfoFields.parse(text());
    }

    /** Whether Guestcore made the text from what else is in memory, so that the kernel itself did not say it. */
    public boolean isMade() {
        return value("GUESTCORE").isPresent();
    }

    /** The value of a key, as {@link VmcoreInfoFields#value} gives it. */
    public Optional<String> value(String key) {
        return fields().value(key);
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
        facts.put("VMCOREINFO", vmcoreInfo.length + " bytes" + (isMade() ? ", made by Guestcore" : ""));
        return facts;
    }

    @Override
    public String toString() {
        return "VmcoreInfoFacts[" + vmcoreInfo.length + " bytes]";
    }
}

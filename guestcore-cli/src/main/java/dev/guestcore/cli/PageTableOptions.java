package dev.guestcore.cli;

import dev.guestcore.address.PagingMode;
import dev.guestcore.address.TranslationOptions;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** What a user may state about page tables, where neither registers nor the kernel say it, or against them. */
final class PageTableOptions {

    private static final int LOWEST_ENCRYPTION_BIT = 12;
    private static final int HIGHEST_ENCRYPTION_BIT = 51;
    private static final int LEAST_PHYSICAL_BITS = 32;
    private static final int MOST_PHYSICAL_BITS = 52;

    @Option(
            names = "--cr3",
            paramLabel = "<value>",
            converter = Quantity.Address.class,
            description = "Start from this page-table root (of another process) instead of the vCPU's CR3 or the root that "
                    + "the kernel names; for a Xen PV guest it is a machine address.")
    @Nullable
    Long cr3;

    @Option(
            names = "--paging",
            paramLabel = "<mode>",
            converter = Mode.class,
            completionCandidates = Mode.class,
            description = "State the paging mode instead of taking it from the control registers or the kernel: "
                    + "${COMPLETION-CANDIDATES}.")
    @Nullable
    PagingMode paging;

    @Option(
            names = "--c-bit",
            paramLabel = "<number>",
            description = "The address bit that marks encrypted pages (AMD SEV: commonly 47 or 51) and is no part of "
                    + "the address; 12 to 51. Default: what VMCOREINFO says.")
    @Nullable
    Integer encryptionBit;

    @Option(
            names = "--physical-bits",
            paramLabel = "<number>",
            description = "Width of a physical address, 32 to 52; entries with bits above it are reserved. "
                    + "Default: 52.")
    @Nullable
    Integer physicalBits;

    /** Names of paging modes as they are typed. */
    static final class Mode implements ITypeConverter<PagingMode>, Iterable<String> {

        private static final Map<String, PagingMode> MODES = new LinkedHashMap<>();

        static {
            MODES.put("none", PagingMode.NONE);
            MODES.put("32-bit", PagingMode.TWO_LEVEL);
            MODES.put("pae", PagingMode.PAE);
            MODES.put("4-level", PagingMode.FOUR_LEVEL);
            MODES.put("5-level", PagingMode.FIVE_LEVEL);
        }

        @Override
        public PagingMode convert(String text) {
            PagingMode mode = MODES.get(text);
            if (mode == null) {
                throw new TypeConversionException(Choices.unknown(text, List.copyOf(MODES.keySet())));
            }
            return mode;
        }

        @Override
        public Iterator<String> iterator() {
            return MODES.keySet().iterator();
        }
    }

    /** Whether any of them was given. */
    boolean isGiven() {
        return cr3 != null || paging != null || encryptionBit != null || physicalBits != null;
    }

    /** Refuses numbers that cannot be. */
    void check(Verb verb) {
        if (encryptionBit != null
                && (encryptionBit < LOWEST_ENCRYPTION_BIT || encryptionBit > HIGHEST_ENCRYPTION_BIT)) {
            throw verb.usage("--c-bit is one of " + LOWEST_ENCRYPTION_BIT + " to " + HIGHEST_ENCRYPTION_BIT + ", found "
                    + encryptionBit);
        }
        if (physicalBits != null && (physicalBits < LEAST_PHYSICAL_BITS || physicalBits > MOST_PHYSICAL_BITS)) {
            throw verb.usage("--physical-bits is one of " + LEAST_PHYSICAL_BITS + " to " + MOST_PHYSICAL_BITS
                    + ", found " + physicalBits);
        }
    }

    /** What the user states. */
    TranslationOptions stated() {
        TranslationOptions options = TranslationOptions.defaults();
        if (paging != null) {
            options = options.withMode(paging);
        }
        if (cr3 != null) {
            options = options.withRoot(cr3);
        }
        if (encryptionBit != null) {
            options = options.withEncryptionBit(encryptionBit);
        }
        return physicalBits == null ? options : options.withPhysicalBits(physicalBits);
    }
}

package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.UnsupportedRequestException;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PagingMode;
import dev.guestcore.address.TranslationOptions;
import dev.guestcore.address.UnknownRegisterException;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.X86;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Option;
import picocli.CommandLine.TypeConversionException;

/** The options that say through which page tables virtual addresses are seen. */
final class AddressSpaceOptions {

    private static final int LOWEST_ENCRYPTION_BIT = 12;
    private static final int HIGHEST_ENCRYPTION_BIT = 51;
    private static final int LEAST_PHYSICAL_BITS = 32;
    private static final int MOST_PHYSICAL_BITS = 52;

    @Option(
            names = "--cpu",
            paramLabel = "<number>",
            description = "See virtual addresses as this vCPU does, counted from 0. Default: 0.")
    @Nullable
    Integer cpu;

    @Option(
            names = "--cr3",
            paramLabel = "<value>",
            converter = Quantity.Address.class,
            description = "Start from this page-table root (of another process) instead of the vCPU's CR3; for a "
                    + "Xen PV guest it is a machine address.")
    @Nullable
    Long cr3;

    @Option(
            names = "--paging",
            paramLabel = "<mode>",
            converter = Mode.class,
            completionCandidates = Mode.class,
            description = "State the paging mode where the source does not know the control registers: "
                    + "${COMPLETION-CANDIDATES}.")
    @Nullable
    PagingMode paging;

    @Option(
            names = "--c-bit",
            paramLabel = "<number>",
            description = "The address bit that marks encrypted pages (AMD SEV: commonly 47 or 51) and is no part of "
                    + "the address; 12 to 51.")
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

    /**
     * Refuses what makes no sense before anything is opened.
     *
     * @param virtual whether the command is about virtual addresses at all
     */
    void check(Verb verb, boolean virtual) {
        boolean given =
                cpu != null || cr3 != null || paging != null || encryptionBit != null || physicalBits != null;
        if (given && !virtual) {
            throw verb.usage("--cpu, --cr3, --paging, --c-bit and --physical-bits need --virtual");
        }
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

    /** The address space that the user means. */
    AddressSpace of(Guest guest, String source) {
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
        if (physicalBits != null) {
            options = options.withPhysicalBits(physicalBits);
        }
        try {
            return AddressSpace.of(guest, vcpu(guest, source), options);
        } catch (UnknownRegisterException e) {
            String option = e.register() == X86.CR3 ? "--cr3" : "--paging";
            throw new UnsupportedRequestException(source + ": " + e.getMessage() + ", with " + option);
        }
    }

    private Vcpu vcpu(Guest guest, String source) {
        if (cpu == null && cr3 != null && paging != null && guest.vcpus().isEmpty()) {
            // Everything is stated, so that a memory image without vCPUs will do.
            return new Vcpu(0, RegisterState.builder().build());
        }
        return Vcpus.numbered(cpu == null ? 0 : cpu, guest.vcpus(), source);
    }
}

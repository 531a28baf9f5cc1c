package dev.guestcore.cli;

import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.TranslationOptions;
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
            names = {"--root", "--cr3"},
            paramLabel = "<value>",
            converter = Quantity.Address.class,
            description = "Start from this page-table root (of another process), in the form of the register that holds it, "
                    + "instead of the vCPU's own or the one that the kernel names; for a Xen PV guest it is a machine "
                    + "address. The register is CR3 of x86, TTBR0_EL1 of arm64, satp of riscv64, CR1 of s390x.")
    @Nullable
    Long root;

    @Option(
            names = "--kernel-root",
            paramLabel = "<value>",
            converter = Quantity.Address.class,
            description = "Start from this root for the addresses of the kernel, where the processor has one of its own "
                    + "for them: TTBR1_EL1 of arm64.")
    @Nullable
    Long kernelRoot;

    @Option(
            names = "--paging",
            paramLabel = "<mode>",
            converter = Mode.class,
            completionCandidates = Mode.class,
            description = "State the paging mode instead of taking it from the registers or the kernel: "
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
            Architectures.all().forEach(
                    family -> family.pagingModes().forEach(mode -> MODES.put(mode.label(), mode)));
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
        return root != null || kernelRoot != null || paging != null || encryptionBit != null || physicalBits != null;
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
        if (root != null) {
            options = options.withRoot(root);
        }
        if (kernelRoot != null) {
            options = options.withKernelRoot(kernelRoot);
        }
        if (encryptionBit != null) {
            options = options.withEncryptionBit(encryptionBit);
        }
        return physicalBits == null ? options : options.withPhysicalBits(physicalBits);
    }
}

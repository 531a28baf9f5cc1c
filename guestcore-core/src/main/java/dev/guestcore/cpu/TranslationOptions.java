package dev.guestcore.cpu;

import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Facts about translation that the registers of a dump do not have. Immutable.
 *
 * @param mode the paging mode, instead of the one from the control registers
 * @param root the page-table root in the form of the register that holds it, instead of what the vCPU has there; that of user
 *     mode where there are two
 * @param kernelRoot the root of the kernel's half of all addresses, where the processor has one of its own for it (arm64)
 * @param encryptionMask address bits that mark encrypted (AMD SME and SEV) or shared (Intel TDX) pages and are no part
 *     of the address; 0 for none
 * @param physicalBits width of a physical address, 32 to 52; entries with address bits above it are reserved
 */
public record TranslationOptions(
        Optional<PagingMode> mode,
        OptionalLong root,
        OptionalLong kernelRoot,
        long encryptionMask,
        int physicalBits) {

    private static final int WIDEST = 52;
    private static final TranslationOptions DEFAULTS =
            new TranslationOptions(Optional.empty(), OptionalLong.empty(), OptionalLong.empty(), 0, WIDEST);

    /** Checks the numbers. */
    public TranslationOptions {
        Objects.requireNonNull(mode);
        Objects.requireNonNull(root);
        Objects.requireNonNull(kernelRoot);
        if (physicalBits < 32 || physicalBits > WIDEST) {
            throw new IllegalArgumentException("a physical address has 32 to 52 bits, found " + physicalBits);
        }
        if ((encryptionMask & 0xfff) != 0 || encryptionMask >>> WIDEST != 0) {
            throw new IllegalArgumentException("an encryption mask has bits from 12 to 51 only, found 0x"
                    + Long.toHexString(encryptionMask));
        }
    }

    /** Everything from the registers, 52 physical address bits, no encryption. */
    public static TranslationOptions defaults() {
        return DEFAULTS;
    }

    /** States the paging mode. */
    public TranslationOptions withMode(PagingMode stated) {
        return new TranslationOptions(Optional.of(stated), root, kernelRoot, encryptionMask, physicalBits);
    }

    /** Uses another page-table root, in the form of the register. For a Xen PV guest it is a machine address. */
    public TranslationOptions withRoot(long stated) {
        return new TranslationOptions(mode, OptionalLong.of(stated), kernelRoot, encryptionMask, physicalBits);
    }

    /** Uses another root for the kernel's half of all addresses, where the processor has one of its own for it. */
    public TranslationOptions withKernelRoot(long stated) {
        return new TranslationOptions(mode, root, OptionalLong.of(stated), encryptionMask, physicalBits);
    }

    /** Takes bit {@code bit} (of AMD commonly 47 or 51) out of all addresses in page tables. */
    public TranslationOptions withEncryptionBit(int bit) {
        if (bit < 12 || bit >= WIDEST) {
            throw new IllegalArgumentException("the encryption bit is one of 12 to 51, found " + bit);
        }
        return new TranslationOptions(mode, root, kernelRoot, encryptionMask | 1L << bit, physicalBits);
    }

    /** Sets the width of a physical address. */
    public TranslationOptions withPhysicalBits(int bits) {
        return new TranslationOptions(mode, root, kernelRoot, encryptionMask, bits);
    }

    @Override
    public String toString() {
        return "mode " + mode.map(PagingMode::title).orElse("as registers say") + ", root "
                + (root.isPresent() ? "0x" + Long.toHexString(root.getAsLong()) : "as registers say")
                + ", encryption mask 0x" + Long.toHexString(encryptionMask) + ", " + physicalBits + " physical bits";
    }
}

package dev.guestcore.address;

import dev.guestcore.error.GuestcoreException;
import java.io.Serial;

/** The page-table root has an address bit for which the guest has no memory, as where pages are encrypted. */
public final class EncryptionBitException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final int bit;

    /**
     * An exception.
     *
     * @param root the root in the form of CR3
     * @param bit number of the address bit
     */
    public EncryptionBitException(long root, int bit) {
        super("the page-table root 0x" + Long.toHexString(root) + " has address bit " + bit
                + " set, which lies above all of"
                + " the guest's memory: with AMD's memory encryption (SME, SEV) such a bit marks encrypted pages and is no"
                + " part of the address; state encryption bit " + bit);
        this.bit = bit;
    }

    /** Number of the bit, 32 to 51. */
    public int bit() {
        return bit;
    }
}

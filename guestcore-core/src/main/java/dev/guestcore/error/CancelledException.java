package dev.guestcore.error;

import java.io.Serial;

/** The user stopped the operation. Whatever was frozen runs again, whatever was half written is gone. */
public final class CancelledException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error. */
    public CancelledException() {
        super("cancelled");
    }
}

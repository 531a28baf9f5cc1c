package dev.guestcore.error;

import java.io.Serial;

/** The request is not possible with this guest, format or option, and nothing was written. */
public final class UnsupportedRequestException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error with a line for the user. */
    public UnsupportedRequestException(String message) {
        super(message);
    }
}

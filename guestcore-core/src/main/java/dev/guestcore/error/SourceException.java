package dev.guestcore.error;

import java.io.Serial;

/** A live source or a file cannot be reached, or failed while it was in use. */
public final class SourceException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error with a line for the user. */
    public SourceException(String message) {
        super(message);
    }

    /** Creates the error with a line for the user and the technical cause. */
    public SourceException(String message, Throwable cause) {
        super(message, cause);
    }
}

package dev.guestcore.error;

import java.io.Serial;

/** The output cannot be written: it exists, the disk is full, the pipe is closed. No file has the final name. */
public sealed class OutputException extends GuestcoreException permits MayNotFitException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error with a line for the user. */
    public OutputException(String message) {
        super(message);
    }

    /** Creates the error with a line for the user and the technical cause. */
    public OutputException(String message, Throwable cause) {
        super(message, cause);
    }
}

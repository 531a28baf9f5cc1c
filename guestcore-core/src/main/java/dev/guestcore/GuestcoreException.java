package dev.guestcore;

import java.io.Serial;

/**
 * The root of all errors that Guestcore raises on purpose. The message is one line for the user: what, where, what was
 * expected, what was found, what to do.
 */
public class GuestcoreException extends RuntimeException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error with a line for the user. */
    public GuestcoreException(String message) {
        super(message);
    }

    /** Creates the error with a line for the user and the technical cause. */
    public GuestcoreException(String message, Throwable cause) {
        super(message, cause);
    }
}

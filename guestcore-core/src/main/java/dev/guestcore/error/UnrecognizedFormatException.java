package dev.guestcore.error;

import java.io.Serial;

/** No known format matches the file. The message says what the file is, as far as that is known. */
public final class UnrecognizedFormatException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error with a line for the user. */
    public UnrecognizedFormatException(String message) {
        super(message);
    }
}

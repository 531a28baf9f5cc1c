package dev.guestcore.linux.types;

import dev.guestcore.error.GuestcoreException;
import java.io.Serial;

/** The kernel's description of its types is damaged, or a name is not a type: what, where, and what to do is in the message. */
public class TypesException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** With a message of one line. */
    public TypesException(String message) {
        super(message);
    }
}

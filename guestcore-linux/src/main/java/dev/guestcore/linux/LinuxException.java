package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;

/** Something of the guest's kernel cannot be told: what, why, and what to do is in the message. */
public class LinuxException extends GuestcoreException {

    private static final long serialVersionUID = 1L;

    /** With a message of one line, and what to do about it. */
    public LinuxException(String message) {
        super(message);
    }
}

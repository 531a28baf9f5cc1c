package dev.guestcore.error;

import java.io.Serial;

/** A live guest was not frozen, because its core may be larger than what is free on the disk. That is an estimate. */
public final class MayNotFitException extends OutputException {

    @Serial
    private static final long serialVersionUID = 1L;

    /** With a message that says how much there is and how much there may be. */
    public MayNotFitException(String message) {
        super(message);
    }
}

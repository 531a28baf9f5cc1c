package dev.guestcore.serve.gdb;

import dev.guestcore.error.GuestcoreException;
import java.io.Serial;
import java.util.Objects;

/** A client asked for something that it does not get. Becomes an error reply, never leaves this package. */
final class RequestException extends GuestcoreException {

    /** Error number of Linux for a bad address, which debuggers show as "Cannot access memory". */
    static final int FAULT = 14;

    /** Error number of Linux for an argument that makes no sense. */
    static final int INVALID = 22;

    /** Error number of Linux for a write to something that is read-only. */
    static final int READ_ONLY = 30;

    @Serial
    private static final long serialVersionUID = 1L;

    private final int number;

    RequestException(int number, String message) {
        super(message);
        this.number = number;
    }

    static RequestException invalid(String what) {
        return new RequestException(INVALID, "cannot make sense of " + what);
    }

    /** {@inheritDoc} It is never null. */
    @Override
    public String getMessage() {
        return Objects.requireNonNull(super.getMessage());
    }

    /** The number in the reply, two decimal digits. */
    int number() {
        return number;
    }
}

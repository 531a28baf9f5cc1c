package dev.guestcore.address;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageState;
import java.io.Serial;

/** A read of guest-virtual memory met an address that gives no bytes. */
public final class VirtualAccessException extends MemoryAccessException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final Translation.Outcome outcome;

    VirtualAccessException(Translation translation, PageState state) {
        super("cannot read guest-virtual address 0x" + Long.toHexString(translation.virtual()) + ": "
                + explain(translation, state), translation.virtual(), state);
        this.outcome = translation.outcome();
    }

    private static String explain(Translation translation, PageState state) {
        return translation.physical().isEmpty()
                ? translation.outcome().title()
                : translation.physical().get() + " is " + state + " in the source";
    }

    /** How the walk ended; {@link Translation.Outcome#MAPPED} where the memory behind it is missing. */
    public Translation.Outcome outcome() {
        return outcome;
    }
}

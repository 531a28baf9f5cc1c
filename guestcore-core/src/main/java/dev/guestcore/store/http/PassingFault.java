package dev.guestcore.store.http;

import java.time.Duration;

/** A fault that may be gone at the next attempt. */
final class PassingFault extends Exception {

    private static final long serialVersionUID = 1L;

    private final transient Duration pause;

    /**
     * A fault.
     *
     * @param message what happened, for the user
     * @param pause how long the server asked to wait; zero if it did not
     */
    PassingFault(String message, Duration pause) {
        super(message);
        this.pause = pause;
    }

    Duration pause() {
        return pause;
    }
}

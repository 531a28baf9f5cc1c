package dev.guestcore;

import java.time.Duration;

/** The lease on a frozen live guest. Ends when the {@link Guest} is closed; who froze thaws. */
public interface Freeze {

    /** Whether the guest ran before, and so will run again; a guest that was already paused stays paused. */
    boolean wasRunning();

    /** How long the guest has been frozen by us: until now, or until it was thawed. Zero if it was already paused. */
    Duration elapsed();
}

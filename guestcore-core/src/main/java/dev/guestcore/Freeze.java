package dev.guestcore;

import java.time.Duration;
import java.util.List;

/**
 * The lease on a frozen live guest. One that is frozen {@link FreezeMethod#DIRECT directly} is thawed when its
 * {@link Guest} is closed; by the other ways it runs again before anybody sees the {@link Guest}, and this only tells how it
 * was. Who froze thaws.
 */
public interface Freeze {

    /** Whether the guest ran before, and so will run again; a guest that was already paused stays paused. */
    boolean wasRunning();

    /** How long the guest has been frozen by us: until now, or until it was thawed. Zero if it was already paused. */
    Duration elapsed();

    /** The way in which it was frozen. */
    default FreezeMethod method() {
        return FreezeMethod.DIRECT;
    }

    /** How long it took to have all memory of the instant in our hands; zero where it is read as it is used. */
    default Duration reading() {
        return Duration.ZERO;
    }

    /**
     * What others did to the guest while it was frozen, or while its memory was read, that its user should know: that
     * somebody else stopped it and it is left so. Complete once the guest is closed.
     */
    default List<Finding> findings() {
        return List.of();
    }
}

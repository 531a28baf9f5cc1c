package dev.guestcore;

import java.time.Duration;
import java.util.List;

/**
 * The lease on a frozen live guest. A guest that is frozen {@link FreezeMethod#DIRECT directly} is thawed when its
 * {@link Guest} is closed. With the other methods it runs again before the {@link Guest} is returned, and this object only
 * describes the freeze. Whoever freezes a guest thaws it.
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

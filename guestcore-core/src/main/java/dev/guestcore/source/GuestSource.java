package dev.guestcore.source;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import java.util.List;

/**
 * A source that is connected but not yet frozen, so that the free disk space can be checked first. Not thread-safe.
 */
public interface GuestSource extends AutoCloseable {

    /** One line for the user: what this is. */
    String description();

    /** Memory regions as of now, for planning; a running guest may still change them. */
    List<MemoryRegion> regions();

    /** Number of vCPUs as of now. */
    int vcpuCount();

    /** Whether it is a live guest that {@link #freeze()} would stop. */
    boolean isLive();

    /**
     * Does beforehand what would otherwise take time while the guest stands still. The guest runs on; nothing that is seen
     * here is kept. May be left out.
     */
    default void prepare() {
        // Most sources have nothing to prepare.
    }

    /**
     * Stops the guest if it runs and gives it, {@link dev.guestcore.FreezeMethod#DIRECT directly}. The guest holds the
     * freeze until it is closed; several guests of one source may be had one after the other.
     *
     * @throws dev.guestcore.error.SourceException if the source fails; the guest runs on then
     */
    Guest freeze();

    /**
     * Gives the guest of one instant by the way that is asked for, or by the shortest one that is possible, and lets it run
     * again as soon as that way allows. Prepares by itself. A source that stops nothing is not asked for a way.
     *
     * @throws dev.guestcore.error.UnsupportedRequestException if the way that is asked for cannot be taken; says why,
     *     and which others can
     * @throws dev.guestcore.error.SourceException if the source fails; the guest runs on then
     * @throws dev.guestcore.error.CancelledException if the progress says so; the guest runs on then
     */
    default Guest freeze(FreezeRequest request) {
        return Freezer.take(this, request);
    }

    /**
     * The way that {@link #freeze(FreezeRequest)} would take now, and why no shorter one. Nothing is frozen, nothing is kept;
     * what changes later may change the way.
     *
     * @throws dev.guestcore.error.UnsupportedRequestException if the way that is asked for cannot be taken; says why,
     *     and which others can
     * @throws dev.guestcore.error.SourceException if the source fails
     */
    default FreezeChoice choose(FreezeRequest request) {
        return Freezer.choose(this, request);
    }

    /** Disconnects. A guest that is still open is closed first. */
    @Override
    void close();

    /**
     * The source of a guest that lies in files and is open already. Closing the source closes the guest.
     *
     * @param description one line for the user
     */
    static GuestSource ofFiles(Guest guest, String description) {
        return new OpenedSource(guest, description);
    }
}

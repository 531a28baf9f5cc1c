package dev.guestcore;

import java.util.List;

/**
 * Something that a guest can be had from, found but not yet frozen, so that room on the disk can be checked first.
 * Not thread-safe.
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
     * Stops the guest if it runs and gives it. The guest holds the freeze until it is closed; several guests of one source
     * may be had one after the other.
     *
     * @throws SourceException if the source fails; the guest runs on then
     */
    Guest freeze();

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

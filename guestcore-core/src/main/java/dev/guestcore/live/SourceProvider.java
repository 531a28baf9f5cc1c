package dev.guestcore.live;

import dev.guestcore.GuestSource;

/** A kind of live source. Found through {@link java.util.ServiceLoader}; stateless and thread-safe. */
public interface SourceProvider {

    /** What stands before the colon: "qemu" for {@code qemu:/run/vm.qmp}. */
    String scheme();

    /** One line for the user: what can stand behind the colon, and what it opens. */
    String help();

    /**
     * Finds the guest without freezing it.
     *
     * @param locator what stands behind the colon
     * @throws dev.guestcore.SourceException if there is no such guest
     */
    GuestSource connect(String locator);
}

package dev.guestcore.source;

import dev.guestcore.Progress;
import dev.guestcore.format.Check;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

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
     * @throws dev.guestcore.error.SourceException if there is no such guest
     */
    GuestSource connect(String locator);

    /**
     * The same, for a source that has to be waited for.
     *
     * @param timeout how long it may take until it answers; a source that answers at once does without
     * @throws dev.guestcore.error.SourceException if there is no such guest, or it does not answer in time
     */
    default GuestSource connect(String locator, Duration timeout) {
        return connect(locator);
    }

    /**
     * Checks the files of a source against the rules of their format. Empty if there are no such rules; then opening the
     * source and reading its memory is all that can be checked.
     *
     * @param locator what stands behind the colon
     * @param deep also rules that need all of the memory to be read
     * @throws dev.guestcore.error.SourceException if there is no such source
     */
    default Optional<List<Check>> verify(String locator, boolean deep, Progress progress) {
        return Optional.empty();
    }
}

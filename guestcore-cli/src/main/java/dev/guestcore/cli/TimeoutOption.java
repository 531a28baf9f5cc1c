package dev.guestcore.cli;

import dev.guestcore.open.Guests;
import dev.guestcore.source.GuestSource;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How long a live guest may take until it answers. */
final class TimeoutOption {

    private static final int LONGEST = 86_400;

    @Option(
            names = "--timeout",
            paramLabel = "<seconds>",
            description = "How long to wait for the first answer of a live guest's hypervisor. Default: 30.")
    @Nullable
    Integer seconds;

    /** Finds a guest without freezing it. */
    GuestSource source(Verb verb, String location, ProgressMode progress) {
        if (seconds != null && (seconds < 1 || seconds > LONGEST)) {
            throw verb.usage("--timeout: expected 1 to " + LONGEST + " seconds, found " + seconds);
        }
        try (ShownProgress shown = verb.progress(progress)) {
            return Guests.source(location, Optional.ofNullable(seconds).map(Duration::ofSeconds), shown);
        }
    }
}

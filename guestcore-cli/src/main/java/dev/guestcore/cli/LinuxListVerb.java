package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Walk;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Stream;

/** What the commands share that list something of a Linux guest, and say what they could not read of it. */
abstract class LinuxListVerb extends LinuxVerb {

    LinuxListVerb(Console console) {
        super(console);
    }

    @Override
    final int show(Guest guest) {
        return show(linux(guest));
    }

    /**
     * Shows it.
     *
     * @return the exit code, unless the guest turns out to be damaged
     */
    abstract int show(Linux linux);

    /** A process by its id. */
    final Task process(Linux linux, int pid) {
        return ProcessOption.find(linux.tasks(), pid, source);
    }

    /** The items of a walk for the document; they are made as they are written. */
    static <T> Iterable<Object> items(Walk<T> walk, Function<T, Map<String, Object>> json) {
        Stream<T> items = walk.stream();
        return () -> items.<Object>map(json).iterator();
    }
}

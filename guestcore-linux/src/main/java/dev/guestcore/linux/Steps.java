package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Keeps count on a walk: what was found, where it was already, and what is wrong. */
final class Steps<T> {

    private final List<T> items = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();
    private final Set<Long> seen = new HashSet<>();
    private final int limit;
    private boolean complete = true;

    Steps(int limit) {
        this.limit = limit;
    }

    /** Whether the walk may go on to a place; if not, it is broken there. */
    boolean visit(long address) {
        if (seen.size() >= limit) {
            broken("stopped at 0x" + Long.toHexString(address) + " after " + limit + " elements");
            return false;
        }
        if (!seen.add(address)) {
            broken("comes back to 0x" + Long.toHexString(address) + ", where it was before");
            return false;
        }
        return true;
    }

    void found(T item) {
        items.add(item);
    }

    /** Something is not as it should be, but the walk goes on. */
    void odd(String problem) {
        if (problems.size() < Walk.MOST_PROBLEMS) {
            problems.add(problem);
        }
    }

    /** The walk cannot reach all. */
    void broken(String problem) {
        complete = false;
        odd(problem);
    }

    void broken(long address, GuestcoreException why) {
        broken("broken at 0x" + Long.toHexString(address) + ": " + why.getMessage());
    }

    Walk<T> end() {
        return new Walk<>(items, complete, problems);
    }
}

package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What was found along a list or tree in the guest's memory, and how the walk ended. Memory of a guest that ran while it was
 * copied is torn, and a guest may be hostile, so a walk has a limit, notices circles, and says what it did not reach.
 *
 * @param items what was found, in order
 * @param complete whether the walk came to the end of the list
 * @param problems what was wrong on the way, in words; empty if nothing was
 * @param <T> what is found
 */
public record Walk<T>(List<T> items, boolean complete, List<String> problems) implements Iterable<T> {

    /** How many elements a walk visits at most. */
    public static final int LIMIT = 1 << 18;

    /** How many problems are told. */
    static final int MOST_PROBLEMS = 16;

    /** Copies the lists. */
    public Walk {
        items = List.copyOf(items);
        problems = List.copyOf(problems);
    }

    /** A walk that ended well. */
    public static <T> Walk<T> of(List<T> items) {
        return new Walk<>(items, true, List.of());
    }

    @Override
    public Iterator<T> iterator() {
        return items.iterator();
    }

    /** What was found, in order. */
    public Stream<T> stream() {
        return items.stream();
    }

    /** How many were found. */
    public int size() {
        return items.size();
    }

    /**
     * The same walk with what each item gives. An item whose memory is missing or damaged is left out and told among the
     * problems.
     */
    public <R> Walk<R> map(Function<T, R> function) {
        return flatMap(item -> List.of(function.apply(item)));
    }

    /** The same walk with all that each item gives. */
    public <R> Walk<R> flatMap(Function<T, ? extends Iterable<R>> function) {
        List<R> results = new ArrayList<>();
        List<String> all = new ArrayList<>(problems);
        for (T item : items) {
            try {
                Iterable<R> given = function.apply(item);
                given.forEach(results::add);
                if (given instanceof Walk<?> walk) {
                    walk.problems.forEach(problem -> tell(all, problem));
                }
            } catch (GuestcoreException e) {
                tell(all, e.getMessage());
            }
        }
        return new Walk<>(results, complete, all);
    }

    /** The same walk, with what it is about in front of each problem. */
    Walk<T> about(String what) {
        return new Walk<>(items, complete, problems.stream().map(problem -> what + ": " + problem).toList());
    }

    private static void tell(List<String> all, String problem) {
        if (all.size() < MOST_PROBLEMS) {
            all.add(problem);
        } else if (all.size() == MOST_PROBLEMS) {
            all.add("and more");
        }
    }
}

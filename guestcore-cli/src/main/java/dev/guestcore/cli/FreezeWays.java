package dev.guestcore.cli;

import dev.guestcore.FreezeMethod;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;

/** The words for the ways of freezing a live guest. */
final class FreezeWays implements Iterable<String> {

    private static final List<String> WAYS =
            Arrays.stream(FreezeMethod.values()).map(FreezeMethod::label).toList();

    @Override
    public Iterator<String> iterator() {
        return WAYS.iterator();
    }

    /** The way of that name; empty for an empty name. */
    static Optional<FreezeMethod> of(Verb verb, String way) {
        if (way.isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(Arrays.stream(FreezeMethod.values())
                .filter(known -> known.label().equals(way))
                .findFirst()
                .orElseThrow(() -> verb.usage("--freeze: " + Choices.unknown(way, WAYS))));
    }
}

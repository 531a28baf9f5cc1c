package dev.guestcore.format;

import dev.guestcore.error.UnsupportedRequestException;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** What somebody chose of the options of a format's writer. Immutable and thread-safe. */
public final class ChosenOptions {

    private final CoreFormat format;
    private final Map<String, String> chosen;

    private ChosenOptions(CoreFormat format, Map<String, String> chosen) {
        this.format = format;
        this.chosen = Map.copyOf(chosen);
    }

    /**
     * Checks the names.
     *
     * @param chosen values by name, as {@link CoreFormat#writer} takes them
     * @throws UnsupportedRequestException if the format has no option of that name
     */
    public static ChosenOptions of(CoreFormat format, Map<String, String> chosen) {
        for (String name : chosen.keySet()) {
            if (format.writeOptions().stream().noneMatch(option -> option.name().equals(name))) {
                String names = format.writeOptions().stream().map(WriteOption::name).collect(Collectors.joining(", "));
                throw new UnsupportedRequestException(
                        "format " + format.name() + " has no option '" + name + "'; it has "
                                + (names.isEmpty() ? "none" : names));
            }
        }
        return new ChosenOptions(format, chosen);
    }

    /**
     * Whether a switch is on.
     *
     * @throws UnsupportedRequestException if its value is neither "true" nor "false"
     */
    public boolean isOn(String name) {
        return switch (chosen.getOrDefault(name, "false")) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new UnsupportedRequestException("option " + name + " of format " + format.name()
                    + " is a switch: expected true or false, found '" + chosen.get(name) + "'");
        };
    }

    /**
     * What was chosen of several; empty if nothing was.
     *
     * @param meaning what a value stands for; empty if it is no value of the option
     * @throws UnsupportedRequestException for such a value
     */
    public <T> Optional<T> choice(String name, Function<String, Optional<T>> meaning) {
        return Optional.ofNullable(chosen.get(name)).map(value -> meaning.apply(value)
                .orElseThrow(() -> new UnsupportedRequestException("format " + format.name() + " has no " + name + " '"
                        + value + "'; it has " + values(name))));
    }

    private String values(String name) {
        return format.writeOptions().stream()
                .filter(option -> option.name().equals(name))
                .flatMap(option -> option.values().stream())
                .collect(Collectors.joining(", "));
    }
}

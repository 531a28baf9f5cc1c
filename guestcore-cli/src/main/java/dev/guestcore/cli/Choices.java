package dev.guestcore.cli;

import dev.guestcore.internal.text.Nearest;
import java.util.List;
import picocli.CommandLine.TypeConversionException;

/** Options that take one of a few words. */
final class Choices {

    private Choices() {}

    /** The choice that is written so; else an error that names all, and the one that may be meant. */
    static <T> T find(String text, List<T> choices) {
        return choices.stream()
                .filter(choice -> choice.toString().equals(text))
                .findFirst()
                .orElseThrow(() -> new TypeConversionException(
                        unknown(text, choices.stream().map(Object::toString).toList())));
    }

    /** The error about a word that is none of these. */
    static String unknown(String text, List<String> words) {
        return "'" + text + "' is not one of " + String.join(", ", words) + Nearest.hint(text, words);
    }
}

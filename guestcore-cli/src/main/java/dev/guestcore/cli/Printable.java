package dev.guestcore.cli;

import dev.guestcore.file.Locations;

/** Text from a dump, made harmless for a terminal: whoever made the dump must not command the terminal. */
final class Printable {

    private Printable() {}

    /** The text with control and formatting characters as a backslash, u and their number. */
    static String of(String text) {
        if (text.codePoints().noneMatch(Printable::isHarmful)) {
            return text;
        }
        StringBuilder safe = new StringBuilder(text.length() + 16);
        text.codePoints().forEach(codePoint -> {
            if (isHarmful(codePoint)) {
                safe.append(String.format(codePoint > 0xffff ? "\\U%08x" : "\\u%04x", codePoint));
            } else {
                safe.appendCodePoint(codePoint);
            }
        });
        return safe.toString();
    }

    /** What a user named as a source or a file, without the secrets that an address may have. */
    static String location(String location) {
        return of(Locations.printable(location));
    }

    private static boolean isHarmful(int codePoint) {
        return switch (Character.getType(codePoint)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> true;
            default -> false;
        };
    }
}

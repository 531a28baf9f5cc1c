package dev.guestcore.cli;

/**
 * Colours for a terminal, or none. Of the palette of 256 colours those of medium lightness, which can be read on white as well
 * as on black; the first sixteen are what the user's terminal makes of them, and yellow on white is nothing.
 */
enum Style {
    /** Plain text. */
    PLAIN,
    /** ANSI colours. */
    COLOURED;

    /** Headings. */
    String heading(String text) {
        return sgr("1", text);
    }

    /** Things of less weight. */
    String faint(String text) {
        return sgr("38;5;243", text);
    }

    /** All is well. */
    String good(String text) {
        return sgr("38;5;28", text);
    }

    /** Worth a look. */
    String odd(String text) {
        return sgr("38;5;130", text);
    }

    /** Something is wrong. */
    String bad(String text) {
        return sgr("38;5;161", text);
    }

    /** Something to type. */
    String command(String text) {
        return sgr("38;5;31", text);
    }

    private String sgr(String code, String text) {
        return this == PLAIN || text.isEmpty() ? text : "\u001b[" + code + "m" + text + "\u001b[0m";
    }
}

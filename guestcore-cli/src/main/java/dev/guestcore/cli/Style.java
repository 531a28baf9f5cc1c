package dev.guestcore.cli;

/** Colours for a terminal, or none. */
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
        return sgr("2", text);
    }

    /** All is well. */
    String good(String text) {
        return sgr("32", text);
    }

    /** Worth a look. */
    String odd(String text) {
        return sgr("33", text);
    }

    /** Something is wrong. */
    String bad(String text) {
        return sgr("31", text);
    }

    /** Something to type. */
    String command(String text) {
        return sgr("36", text);
    }

    private String sgr(String code, String text) {
        return this == PLAIN || text.isEmpty() ? text : "\u001b[" + code + "m" + text + "\u001b[0m";
    }
}

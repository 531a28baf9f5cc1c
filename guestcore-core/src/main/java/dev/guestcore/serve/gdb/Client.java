package dev.guestcore.serve.gdb;

import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** What is known of the client. Not thread-safe. */
final class Client {

    private enum ErrorStyle {
        /** A number. */
        NUMBER,
        /** gdb, any version: {@code E.text}. */
        TEXT,
        /** lldb: a number and the text in hexadecimal digits. */
        NUMBER_AND_TEXT
    }

    private boolean multiprocess;
    private ErrorStyle errorStyle = ErrorStyle.NUMBER;

    boolean multiprocess() {
        return multiprocess;
    }

    void setMultiprocess() {
        multiprocess = true;
    }

    void setTextErrors() {
        errorStyle = ErrorStyle.TEXT;
    }

    void setNumberedTextErrors() {
        errorStyle = ErrorStyle.NUMBER_AND_TEXT;
    }

    /** Whether it is lldb, which alone asks for numbered texts. */
    boolean isLldb() {
        return errorStyle == ErrorStyle.NUMBER_AND_TEXT;
    }

    /** An error reply as this client understands it. */
    String error(int number, String message) {
        String plain = plain(number);
        return switch (errorStyle) {
            case NUMBER -> plain;
            case TEXT -> "E." + clean(message);
            case NUMBER_AND_TEXT -> plain + ";" + Hex.ofText(message);
        };
    }

    /** An error reply to {@code m}: of a text there, gdb before 16 takes the dot for a byte of memory. */
    String memoryError(int number, String message) {
        return errorStyle == ErrorStyle.NUMBER_AND_TEXT ? error(number, message) : plain(number);
    }

    private static String plain(int number) {
        return String.format(Locale.ROOT, "E%02d", number);
    }

    /** Such replies have no escapes. */
    private static String clean(String message) {
        byte[] ascii = message.getBytes(StandardCharsets.US_ASCII);
        StringBuilder text = new StringBuilder(ascii.length);
        for (byte symbol : ascii) {
            boolean special = symbol == '$' || symbol == '#' || symbol == '*' || symbol == '}' || symbol < ' ';
            text.append(special ? '?' : (char) symbol);
        }
        return text.toString();
    }
}

package dev.guestcore.internal.text;

/** Names in commands that users may type. */
public final class ShellWords {

    private ShellWords() {}

    /** A text as one word for a POSIX shell, in quotes where it needs them. */
    public static String quoted(String text) {
        boolean plain = text.chars()
                .allMatch(c -> c < 0x80 && (Character.isLetterOrDigit(c) || "/._-+:=,@%".indexOf(c) >= 0));
        return plain && !text.isEmpty() ? text : "'" + text.replace("'", "'\\''") + "'";
    }
}

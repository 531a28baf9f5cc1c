package dev.guestcore.error;

import dev.guestcore.report.Reported;
import dev.guestcore.report.Severity;
import java.io.Serial;
import java.util.Locale;
import java.util.Objects;

/**
 * The superclass of all exceptions that Guestcore throws on purpose. The message is one line for the user: what is wrong,
 * where, what was expected, what was found, what to do.
 */
public class GuestcoreException extends RuntimeException implements Reported {

    @Serial
    private static final long serialVersionUID = 1L;

    /** Creates the error with a line for the user. */
    public GuestcoreException(String message) {
        super(oneLine(message));
    }

    /** Creates the error with a line for the user and the technical cause. */
    public GuestcoreException(String message, Throwable cause) {
        super(oneLine(message), cause);
    }

    /** {@inheritDoc} It is never null. */
    @Override
    public String getMessage() {
        return Objects.requireNonNull(super.getMessage());
    }

    /** {@inheritDoc} Here the kind of error, as the class is named. */
    @Override
    public String id() {
        return getClass()
                .getSimpleName()
                .replaceFirst("Exception$", "")
                .replaceAll("(?<=.)(?=\\p{Lu})", "-")
                .toLowerCase(Locale.ROOT);
    }

    @Override
    public Severity severity() {
        return Severity.FAILED;
    }

    @Override
    public String text() {
        return getMessage();
    }

    /** Part of a message may come from a dump, a guest or a hypervisor, which must not break the line. */
    private static String oneLine(String message) {
        if (message.codePoints().noneMatch(GuestcoreException::isBreaking)) {
            return message;
        }
        StringBuilder line = new StringBuilder(message.length() + 16);
        message.codePoints().forEach(codePoint -> {
            if (isBreaking(codePoint)) {
                line.append(String.format(Locale.ROOT, "\\u%04x", codePoint));
            } else {
                line.appendCodePoint(codePoint);
            }
        });
        return line.toString();
    }

    private static boolean isBreaking(int codePoint) {
        return Character.isISOControl(codePoint) || codePoint == '\u2028' || codePoint == '\u2029';
    }
}

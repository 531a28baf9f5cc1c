package dev.guestcore.linux;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A record of the kernel's log.
 *
 * @param sequence the kernel's number of it, counted from 0 since the guest was started
 * @param nanoseconds when it was written, by the kernel's clock, which starts near 0 when the guest is started
 * @param facility who wrote it, as syslog(3) numbers it: 0 the kernel, 1 a user program
 * @param level how urgent it is, as syslog(3) numbers it: 0 an emergency to 7 debugging
 * @param caller what wrote it: {@code T123} a thread by its id, {@code C1} an interrupt on a CPU; empty where the kernel
 *     does not keep that
 * @param device the device that it is about ({@code +pci:0000:00:1f.2}), with its subsystem ({@code pci}) in front and a space
 *     between; empty if about none
 * @param text without a line feed at its end; may have several lines, and control characters
 * @param state whether this is all of it
 */
public record LogRecord(
        long sequence,
        long nanoseconds,
        int facility,
        int level,
        Optional<String> caller,
        Optional<String> device,
        String text,
        State state)
        implements LogEntry {

    /** How much of a record there is. */
    public enum State {
        /** All of it. */
        COMPLETE,
        /** The kernel may have had more to say. */
        UNFINISHED,
        /** Its text, or the rest of it, has been overwritten or cannot be read. */
        TEXT_MISSING
    }

    private static final List<String> LEVELS =
            List.of("emerg", "alert", "crit", "err", "warn", "notice", "info", "debug");

    private static final List<String> FACILITIES = List.of(
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp");

    /** Checks for null. */
    public LogRecord {
        Objects.requireNonNull(caller);
        Objects.requireNonNull(device);
        Objects.requireNonNull(text);
        Objects.requireNonNull(state);
    }

    /** The names of levels, the most urgent first, as dmesg(1) has them. */
    public static List<String> levelNames() {
        return LEVELS;
    }

    /** The name of its level, as dmesg(1) has it ({@code warn}). */
    public String levelName() {
        return LEVELS.get(level & 7);
    }

    /** The name of its facility, as dmesg(1) has it ({@code kern}); its number for one without a name. */
    public String facilityName() {
        return facility >= 0 && facility < FACILITIES.size() ? FACILITIES.get(facility) : Integer.toString(facility);
    }

    /** The lines of its text; one, empty, if it has no text. */
    public List<String> lines() {
        return List.of(text.split("\n", -1));
    }
}

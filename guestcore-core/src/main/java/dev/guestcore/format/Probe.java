package dev.guestcore.format;

import java.util.Objects;

/**
 * What a format says about a file.
 *
 * @param match how well the content fits
 * @param reason why, in a few words for the user
 */
public record Probe(Match match, String reason) {

    /** How well content fits a format. */
    public enum Match {
        /** Another format, or none. */
        NO,
        /** Begins like this format and like no other, but cannot be read as it. */
        ALMOST,
        /** The format can read it, but a more special one may know it better. */
        GENERAL,
        /** This format and no other. */
        EXACT
    }

    /** Checks for null. */
    public Probe {
        Objects.requireNonNull(match);
        Objects.requireNonNull(reason);
    }

    /** Not this format. */
    public static Probe no(String reason) {
        return new Probe(Match.NO, reason);
    }

    /**
     * Begins like this format, but cannot be read.
     *
     * @param reason what the file is and what is wrong with it: all that the user is told if no format claims it
     */
    public static Probe almost(String reason) {
        return new Probe(Match.ALMOST, reason);
    }

    /** Whether the format claims the file. */
    public boolean claims() {
        return match == Match.EXACT || match == Match.GENERAL;
    }

    /** This format. */
    public static Probe exact(String reason) {
        return new Probe(Match.EXACT, reason);
    }
}

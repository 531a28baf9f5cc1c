package dev.guestcore.format;

import java.util.Objects;

/**
 * What a format says about a file that it was shown.
 *
 * @param match how well the content fits
 * @param reason why, in a few words for the user
 */
public record Probe(Match match, String reason) {

    /** How well content fits a format. */
    public enum Match {
        /** Another format, or none. */
        NO,
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

    /** This format. */
    public static Probe exact(String reason) {
        return new Probe(Match.EXACT, reason);
    }
}

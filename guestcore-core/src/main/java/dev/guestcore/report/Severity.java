package dev.guestcore.report;

/** How bad something is that Guestcore reports; what comes later is worse. */
public enum Severity {
    /** Unusual at most; nothing is lost. */
    NOTE,
    /** Something sound is not read or not written, because there is no place for it. */
    OMITTED,
    /** Part of what the file should hold is lost or wrong; the rest can be used. */
    DAMAGE,
    /** The request cannot be fulfilled. Only errors are that bad. */
    FAILED
}

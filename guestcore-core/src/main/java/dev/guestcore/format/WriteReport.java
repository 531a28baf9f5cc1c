package dev.guestcore.format;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import java.util.List;

/**
 * What was written.
 *
 * @param format short name of the format
 * @param layout its variant
 * @param bytes size of the core
 * @param memoryBytes how many of them are guest memory
 * @param zeroBytes how much of the memory was all-zero pages
 * @param losses what the format could not carry
 * @param unreadable guest-physical ranges that could not be read and were written as zeros, coalesced, ascending; at most
 *     {@link #MOST_RANGES} of them
 * @param unreadableBytes how many bytes could not be read in all
 * @param notes what the user should know of how it was written
 */
public record WriteReport(
        String format,
        String layout,
        long bytes,
        long memoryBytes,
        long zeroBytes,
        List<Loss> losses,
        List<AddressRange> unreadable,
        long unreadableBytes,
        List<Finding> notes) {

    /** The longest list of unreadable ranges; a guest with more than that has a count only. */
    public static final int MOST_RANGES = 10_000;

    /** Copies the lists. */
    public WriteReport {
        losses = List.copyOf(losses);
        unreadable = List.copyOf(unreadable);
        notes = List.copyOf(notes);
    }

    /** A report without notes. */
    public WriteReport(
            String format,
            String layout,
            long bytes,
            long memoryBytes,
            long zeroBytes,
            List<Loss> losses,
            List<AddressRange> unreadable,
            long unreadableBytes) {
        this(format, layout, bytes, memoryBytes, zeroBytes, losses, unreadable, unreadableBytes, List.of());
    }
}

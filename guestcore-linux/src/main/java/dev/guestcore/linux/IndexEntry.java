package dev.guestcore.linux;

/**
 * An entry of a tree that the kernel searches by number.
 *
 * @param first first index that leads to it
 * @param last last such index (unsigned), the same for a single one
 * @param entry what stands there: mostly a pointer
 */
public record IndexEntry(long first, long last, long entry) {}

package dev.guestcore.search;

/** Finds a pattern in a piece of an array, match by match in ascending order. Not thread-safe. */
interface ByteMatcher {

    /**
     * Begins anew.
     *
     * @param bytes where to look
     * @param from first index at which a match may begin
     * @param startsEnd index before which a match must begin
     * @param end index before which a match must end
     */
    void reset(byte[] bytes, int from, int startsEnd, int end);

    /** Goes to the next match; false if there is none. */
    boolean find();

    /** Index of the first byte of the match. */
    int start();

    /** Length of the match. */
    int length();
}

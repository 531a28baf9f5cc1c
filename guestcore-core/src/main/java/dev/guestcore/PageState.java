package dev.guestcore;

/** What a source knows about the content of a page. Never silently treated as zeros. */
public enum PageState {
    /** The bytes are there. */
    PRESENT,
    /** Known to be all zero, and not stored. Reads as zeros. */
    ZERO,
    /** Left out on purpose by whoever made the dump. */
    EXCLUDED,
    /** Should be there, but the source failed to read it or the file ends before it. */
    UNREADABLE,
    /** Nothing backs the address: a hole or a device. */
    ABSENT;

    /** Whether a read of such a page gives bytes. */
    public boolean isReadable() {
        return this == PRESENT || this == ZERO;
    }
}

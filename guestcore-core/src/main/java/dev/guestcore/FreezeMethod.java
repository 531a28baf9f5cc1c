package dev.guestcore;

/** How to get the memory of one instant from a live guest, from the shortest freeze to the longest. */
public enum FreezeMethod {
    /** The hypervisor hands out the memory of one instant while the guest runs on; it stands still for milliseconds. */
    SNAPSHOT("snapshot"),
    /** The guest stands still while its memory is copied into memory of ours. */
    BUFFER("buffer"),
    /** The guest stands still until whoever uses it closes it, for a capture until the file is written. */
    DIRECT("direct");

    private final String label;

    FreezeMethod(String label) {
        this.label = label;
    }

    /** The word that users say: "snapshot", "buffer", "direct". */
    public String label() {
        return label;
    }
}

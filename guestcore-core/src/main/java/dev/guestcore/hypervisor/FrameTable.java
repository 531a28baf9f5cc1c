package dev.guestcore.hypervisor;

/**
 * Which frames the stored pages of a Xen dump are, in file order. Thread-safe; valid until its guest is closed.
 */
public interface FrameTable {

    /** The frame number that stands for "no page": all ones. */
    long INVALID = -1L;

    /** Number of entries. */
    long size();

    /** Page frame number (guest-physical address divided by page size) of entry {@code index}, or {@link #INVALID}. */
    long pfn(long index);

    /**
     * Machine frame number of entry {@code index}, or {@link #INVALID}.
     *
     * @throws IllegalStateException if {@link #hasMachineFrames()} is false
     */
    long mfn(long index);

    /** Whether the table gives machine frames (.xen_p2m) or page frames only (.xen_pfn). */
    boolean hasMachineFrames();
}

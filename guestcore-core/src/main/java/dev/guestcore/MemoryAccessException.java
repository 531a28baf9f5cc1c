package dev.guestcore;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.report.Place;
import java.io.Serial;

/** A read of guest memory met an address that gives no bytes. */
public class MemoryAccessException extends GuestcoreException {

    @Serial
    private static final long serialVersionUID = 1L;

    private final long address;
    private final PageState state;

    /**
     * Creates the error.
     *
     * @param address first guest-physical address that could not be read
     * @param state why
     */
    public MemoryAccessException(long address, PageState state) {
        super("cannot read guest-physical address 0x" + Long.toHexString(address) + ": " + explain(state));
        this.address = address;
        this.state = state;
    }

    /**
     * Creates the error with a line of its own, for memory that is not addressed guest-physically.
     *
     * @param message line for the user
     * @param address first address that could not be read
     * @param state why
     */
    protected MemoryAccessException(String message, long address, PageState state) {
        super(message);
        this.address = address;
        this.state = state;
    }

    private static String explain(PageState state) {
        return switch (state) {
            case PRESENT, ZERO -> "the memory changed its state while it was read; try again";
            case EXCLUDED -> "whoever made the dump left this page out; nothing can bring it back from this file";
            case UNREADABLE -> "the source failed to read this page, or the file ends before it";
            case ABSENT -> "nothing backs this address (a hole or a device)";
        };
    }

    /** First address that could not be read. */
    public long address() {
        return address;
    }

    /** Why it could not be read. */
    public PageState state() {
        return state;
    }

    @Override
    public Place place() {
        return Place.ofAddress(address);
    }
}

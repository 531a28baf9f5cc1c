package dev.guestcore.format.raw;

import dev.guestcore.Guest;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;

/** Writes raw images of memory; into a file, with a map beside it. Immutable and thread-safe. */
public final class RawWriter implements CoreWriter {

    private final boolean packed;
    private final boolean asked;

    private RawWriter(boolean packed, boolean asked) {
        this.packed = packed;
        this.asked = asked;
    }

    /** Flat images, unless that floods a pipe with zeros: such a guest is refused. */
    public static RawWriter standard() {
        return new RawWriter(false, false);
    }

    /** Images whose file offsets are guest-physical addresses, however many zeros that takes. */
    public static RawWriter flat() {
        return new RawWriter(false, true);
    }

    /** Images without holes: the map says what is where. */
    public static RawWriter packed() {
        return new RawWriter(true, true);
    }

    @Override
    public WritePlan plan(Guest guest) {
        return new RawPlan(guest, packed, asked);
    }
}

package dev.guestcore.format.lime;

import dev.guestcore.Guest;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;

/** Writes images of LiME and AVML, which hold memory alone. Immutable and thread-safe. */
public final class LimeWriter implements CoreWriter {

    private final Dialect dialect;

    private LimeWriter(Dialect dialect) {
        this.dialect = dialect;
    }

    /** Images of LiME, version 1: ranges of memory as they are. */
    public static LimeWriter lime() {
        return new LimeWriter(Dialect.LIME);
    }

    /** Images of AVML, version 2: compressed with Snappy. */
    public static LimeWriter avml() {
        return new LimeWriter(Dialect.AVML);
    }

    @Override
    public WritePlan plan(Guest guest) {
        return new LimePlan(guest, dialect);
    }
}

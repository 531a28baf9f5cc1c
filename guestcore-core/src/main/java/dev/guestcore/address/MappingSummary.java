package dev.guestcore.address;

import java.util.Objects;
import java.util.OptionalLong;

/**
 * How a walk over a whole address space went.
 *
 * @param stoppedAt the virtual address where the walk stopped because it had read as many tables as allowed: later addresses
 *     are not listed. This happens only with cyclic tables, or with data that is not page tables
 * @param tables how many tables were read
 * @param unreadableTables how many tables lie in memory that the source does not have, wholly or in part
 * @param reservedEntries how many entries have reserved bits set
 */
public record MappingSummary(OptionalLong stoppedAt, long tables, long unreadableTables, long reservedEntries) {

    /** Of no walk. */
    static final MappingSummary NOTHING = new MappingSummary(OptionalLong.empty(), 0, 0, 0);

    /** Checks for null. */
    public MappingSummary {
        Objects.requireNonNull(stoppedAt);
    }

    /** Of this walk and the next. */
    MappingSummary plus(MappingSummary next) {
        return new MappingSummary(
                next.stoppedAt,
                tables + next.tables,
                unreadableTables + next.unreadableTables,
                reservedEntries + next.reservedEntries);
    }

    /** Whether everything that the tables map was listed. */
    public boolean isComplete() {
        return stoppedAt.isEmpty() && unreadableTables == 0;
    }

    @Override
    public String toString() {
        String stop = stoppedAt.isPresent() ? ", stopped at 0x" + Long.toHexString(stoppedAt.getAsLong()) : "";
        return tables + " tables, " + unreadableTables + " unreadable, " + reservedEntries
                + " entries with reserved bits"
                + stop;
    }
}

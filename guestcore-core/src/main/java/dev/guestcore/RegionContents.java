package dev.guestcore;

import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * The bytes of one region, by offset from its start. Implementations are safe for use by several threads at once.
 */
@FunctionalInterface
public interface RegionContents {

    /**
     * Copies readable bytes from {@code offset} on into {@code target} and stops at the first one that is not readable.
     *
     * @param offset bytes from the start of the region
     * @param target never reaches past the end of the region
     * @return how many bytes were copied
     */
    long readAvailable(long offset, MemorySegment target);

    /**
     * The state from {@code offset} on.
     *
     * @param offset bytes from the start of the region
     * @param remaining bytes from {@code offset} to the end of the region
     * @return a run that starts at {@code offset}
     */
    default Run runAt(long offset, long remaining) {
        return new Run(PageState.PRESENT, remaining);
    }

    /**
     * The same for whoever only wants the bytes: what is present, but known to be zero without being read, is
     * {@link PageState#ZERO} here. See {@link GuestMemory#contentRunAt}.
     */
    default Run contentRunAt(long offset, long remaining) {
        return runAt(offset, remaining);
    }

    /** The bytes without a copy, if they lie in one piece in memory. */
    default Optional<MemorySegment> view(long offset, long size) {
        return Optional.empty();
    }

    /**
     * A run within a region.
     *
     * @param state the state of all its bytes
     * @param size length in bytes, at least 1
     */
    record Run(PageState state, long size) {}

    /** Contents that lie in memory of this process. The segment must be as long as its region. */
    static RegionContents of(MemorySegment bytes) {
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                MemorySegment.copy(bytes, offset, target, 0, target.byteSize());
                return target.byteSize();
            }

            @Override
            public Optional<MemorySegment> view(long offset, long size) {
                return Optional.of(bytes.asSlice(offset, size).asReadOnly());
            }
        };
    }

    /** Contents that are all zero and take no memory. */
    static RegionContents zeros() {
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                target.fill((byte) 0);
                return target.byteSize();
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return new Run(PageState.ZERO, remaining);
            }
        };
    }

    /** A device: nothing can be read. */
    static RegionContents absent() {
        return new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                return 0;
            }

            @Override
            public Run runAt(long offset, long remaining) {
                return new Run(PageState.ABSENT, remaining);
            }
        };
    }
}

package dev.guestcore.internal.memory;

import java.lang.foreign.MemorySegment;

/** Reads memory whose pieces lie in different places. */
@FunctionalInterface
public interface PieceReader {

    /**
     * Reads within the piece that holds an address.
     *
     * @return how many bytes were copied; 0 if the byte at {@code address} cannot be read, or there is none
     */
    long readWithin(long address, MemorySegment target);

    /**
     * Reads piece after piece.
     *
     * @return how many bytes were copied before the first one that cannot be read
     */
    default long readAll(long address, MemorySegment target) {
        long done = 0;
        while (done < target.byteSize()) {
            long copied = readWithin(address + done, target.asSlice(done));
            done += copied;
            if (copied == 0 || address + done == 0) {
                break;
            }
        }
        return done;
    }

    /**
     * How many bytes to read within a piece.
     *
     * @param address where to begin
     * @param last the last address of the piece, not below {@code address}
     * @param wanted how many bytes are wanted, at least 1
     */
    static long length(long address, long last, long wanted) {
        long toEnd = last - address;
        return Long.compareUnsigned(toEnd, wanted - 1) < 0 ? toEnd + 1 : wanted;
    }
}

package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * How much of a guest's memory another opening of the same guest holds, after a comparison of all that it holds.
 *
 * @param present bytes that are there, equal in both
 * @param excluded bytes that are known to be left out
 * @param other bytes in any other state
 */
public record ComparedGuests(long present, long excluded, long other) {

    private static final int CHUNK = 1 << 20;

    /** Compares the memory wherever {@code expected} has content; what {@code found} has of it must be equal. */
    public static ComparedGuests compare(Guest expected, Guest found) {
        byte[] left = new byte[CHUNK];
        byte[] right = new byte[CHUNK];
        long present = 0;
        long excluded = 0;
        long other = 0;
        for (MemoryRegion region : expected.memory().regions()) {
            long end = region.range().last() + 1;
            for (long address = region.range().first(); region.hasContent() && address != end;) {
                PageRun run = found.memory().runAt(address);
                // A hole may reach to the end of all addresses.
                long last = Long.compareUnsigned(run.range().last(), end - 1) < 0
                        ? run.range().last()
                        : end - 1;
                int size = (int) Math.min(CHUNK, last - address + 1);
                if (run.state().isReadable()) {
                    expected.memory().read(address, MemorySegment.ofArray(left).asSlice(0, size));
                    found.memory().read(address, MemorySegment.ofArray(right).asSlice(0, size));
                    int at = Arrays.mismatch(left, 0, size, right, 0, size);
                    assertEquals(-1, at, "bytes differ behind 0x" + Long.toHexString(address));
                    present += size;
                } else if (run.state() == PageState.EXCLUDED) {
                    excluded += size;
                } else {
                    other += size;
                }
                address += size;
            }
        }
        return new ComparedGuests(present, excluded, other);
    }

    /** Every register that is known on both sides is equal, and at least so many are in each vCPU. */
    public static void registers(List<RegisterState> expected, Guest found, int atLeast) {
        assertEquals(expected.size(), found.vcpus().size());
        for (int i = 0; i < expected.size(); i++) {
            RegisterState there = found.vcpus().get(i).registers();
            int compared = 0;
            for (Register register : expected.get(i).known()) {
                if (there.knows(register)) {
                    assertEquals(
                            expected.get(i).hex(register), there.hex(register), register.label() + " of vCPU " + i);
                    compared++;
                }
            }
            assertTrue(compared >= atLeast, there::toString);
        }
    }
}

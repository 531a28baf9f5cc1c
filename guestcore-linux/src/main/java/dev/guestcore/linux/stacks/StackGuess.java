package dev.guestcore.linux.stacks;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.stacks.StackFrame.FoundBy;
import java.util.ArrayList;
import java.util.List;

/**
 * What may be return addresses in the rest of a stack that cannot be followed: words that point just behind a call
 * instruction of kernel code. The kernel prints such words with a question mark.
 */
final class StackGuess {

    /** The smallest kernel stack, whose size and alignment the search does not leave: usual on x86-64 since 3.15. */
    private static final long STACK = 1L << 14;

    private static final int MOST = 64;

    private static final int CALL_RELATIVE = 0xe8;
    private static final int CALL_RELATIVE_BYTES = 5;
    private static final int GROUP_5 = 0xff;
    private static final int CALL_NEAR = 2;
    private static final int REGISTER_FIELD_SHIFT = 3;
    private static final int REGISTER_FIELD_MASK = 7;

    /** Lengths of {@code call *…} with a register, with a register and 8 bits, with 32 bits, with SIB and 32 bits. */
    private static final int[] INDIRECT_LENGTHS = {2, 3, 6, 7};

    private final StackUnwinder unwinder;
    private final long start;
    private final int most;

    StackGuess(StackUnwinder unwinder, long start, int most) {
        this.unwinder = unwinder;
        this.start = start;
        this.most = Math.min(most, MOST);
    }

    List<StackFrame> frames() {
        List<StackFrame> found = new ArrayList<>();
        long first = start + (Long.BYTES - 1) & -Long.BYTES;
        long end = (first | STACK - 1) + 1;
        try {
            for (long place = first; place != end && found.size() < most; place += Long.BYTES) {
                long word = unwinder.memory().readLong(place);
                if (isBehindCall(word)) {
                    found.add(new StackFrame(
                            word, unwinder.symbolAt(word, false), place + Long.BYTES, FoundBy.GUESS, false));
                }
            }
        } catch (MemoryAccessException e) {
            // The readable part of the stack ends here.
            return found;
        }
        return found;
    }

    private boolean isBehindCall(long address) {
        if (address >= 0 || !unwinder.isCode(address - 1)) {
            return false;
        }
        try {
            if (byteBefore(address, CALL_RELATIVE_BYTES) == CALL_RELATIVE) {
                return unwinder.isCode(address + unwinder.memory().readInt(address - Integer.BYTES));
            }
            for (int length : INDIRECT_LENGTHS) {
                if (byteBefore(address, length) == GROUP_5
                        && (byteBefore(address, length - 1) >> REGISTER_FIELD_SHIFT
                                & REGISTER_FIELD_MASK) == CALL_NEAR) {
                    return true;
                }
            }
            return false;
        } catch (MemoryAccessException e) {
            return false;
        }
    }

    private int byteBefore(long address, int distance) {
        return Byte.toUnsignedInt(unwinder.memory().readByte(address - distance));
    }
}

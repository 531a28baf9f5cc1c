package dev.guestcore.it;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/** The invariant that {@code generations.asm} keeps. */
final class Generations {

    static final long BASE = 0x1000000;
    static final int PAGES = 4096;
    static final int PAGE = 4096;

    private Generations() {}

    /** Reads a u32 of guest memory, little-endian. */
    interface Words {
        int at(long address);
    }

    /** What breaks the invariant in a guest; empty if nothing does. */
    static Optional<String> violation(Guest guest) {
        byte[] word = new byte[Integer.BYTES];
        Words words = address -> {
            guest.memory().read(address, MemorySegment.ofArray(word));
            return ByteBuffer.wrap(word).order(ByteOrder.LITTLE_ENDIAN).getInt();
        };
        for (int vcpu = 0; vcpu < 2; vcpu++) {
            RegisterState registers = guest.vcpus().get(vcpu).registers();
            int generation = (int) registers.get(X86.RAX);
            int written = (int) registers.get(X86.RCX);
            for (int page = 0; page < PAGES; page++) {
                int found = words.at(address(vcpu, page));
                // The page that is being written may have been written, and the counter is set back before the generation
                // is raised.
                boolean right = page < written
                        ? found == generation
                        : page > written && written > 0
                                ? found == generation - 1
                                : found == generation || found == generation - 1;
                if (!right) {
                    return Optional.of("vCPU " + vcpu + " writes generation " + generation + " and has come to page "
                            + written + ", but page " + page + " holds " + found);
                }
            }
        }
        return violation(words);
    }

    /** What breaks the part of the invariant that lies in memory alone. */
    static Optional<String> violation(Words words) {
        int[] least = {Integer.MAX_VALUE, Integer.MAX_VALUE};
        int[] most = {0, 0};
        for (int vcpu = 0; vcpu < 2; vcpu++) {
            int before = Integer.MAX_VALUE;
            for (int page = 0; page < PAGES; page++) {
                int found = words.at(address(vcpu, page));
                if (found > before) {
                    return Optional.of("page " + page + " of vCPU " + vcpu + " is newer than the one before");
                }
                before = found;
                least[vcpu] = Math.min(least[vcpu], found);
                most[vcpu] = Math.max(most[vcpu], found);
            }
            if (most[vcpu] - least[vcpu] > 1) {
                return Optional.of("vCPU " + vcpu + " has pages of generations " + least[vcpu] + " to " + most[vcpu]);
            }
        }
        return most[1] <= least[0] && most[0] <= least[1] + 2
                ? Optional.empty()
                : Optional.of("vCPU 0 has generations " + least[0] + " to " + most[0] + ", vCPU 1 " + least[1] + " to "
                        + most[1]);
    }

    private static long address(int vcpu, int page) {
        return BASE + (2L * page + vcpu) * PAGE;
    }

    /** How far the first vCPU is. */
    static int generation(Guest guest) {
        return (int) guest.vcpus().getFirst().registers().get(X86.RAX);
    }
}

package dev.guestcore.linux.export;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelTypes;
import java.util.Optional;
import java.util.OptionalLong;

/** How many ticks a second the kernel's clock has: what the count of ticks and the seconds since the start agree on. */
final class Clock {

    private static final long[] USUAL = {100, 250, 300, 1000};

    /**
     * The count of ticks begins five minutes before it overflows 32 bits, to show errors early (Linux,
     * INITIAL_JIFFIES).
     */
    private static final long SECONDS_BEFORE_OVERFLOW = 300;

    /** A tick may be late, and the seconds are whole. */
    private static final long TOLERANCE = 2;

    private static final long LOW_HALF = 0xffffffffL;

    private Clock() {}

    static OptionalLong hertz(Linux linux) {
        Optional<Long> jiffies = linux.symbols().find("jiffies_64").map(Symbol::address);
        Optional<Long> seconds = secondsAt(linux);
        if (jiffies.isEmpty() || seconds.isEmpty()) {
            return OptionalLong.empty();
        }
        try {
            GuestMemory memory = linux.memory();
            return agreeing(memory.readLong(jiffies.get()), memory.readLong(seconds.get()));
        } catch (MemoryAccessException e) {
            return OptionalLong.empty();
        }
    }

    /** The one number of ticks that fits; empty if several do, as shortly after the start, or none does. */
    static OptionalLong agreeing(long ticks, long seconds) {
        OptionalLong found = OptionalLong.empty();
        for (long each : USUAL) {
            long passed = ticks - (-SECONDS_BEFORE_OVERFLOW * each & LOW_HALF);
            if (passed >= 0 && Math.abs(passed / each - seconds) <= TOLERANCE) {
                if (found.isPresent()) {
                    return OptionalLong.empty();
                }
                found = OptionalLong.of(each);
            }
        }
        return found;
    }

    /** A lock of eight bytes stands before the clock. */
    private static Optional<Long> secondsAt(Linux linux) {
        Optional<Long> core = linux.symbols()
                .find("tk_core")
                .or(() -> linux.symbols().find("timekeeper_data"))
                .map(Symbol::address);
        Optional<Long> member = linux.types()
                .flatMap(Clock::timekeeper)
                .map(KernelMember::offset);
        return core.flatMap(start -> member.map(offset -> start + Long.BYTES + offset));
    }

    private static Optional<KernelMember> timekeeper(KernelTypes types) {
        return types.find("struct timekeeper").flatMap(type -> type.member("ktime_sec"));
    }
}

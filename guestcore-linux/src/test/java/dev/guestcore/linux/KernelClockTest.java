package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The clock of a kernel that a test wrote: whole, and damaged. */
class KernelClockTest {

    private static final long CORE = BASE + 0x100;
    private static final long SECOND = 1_000_000_000;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int number = btf.integer("long int", 8, 1);
        int integer = btf.integer("unsigned int", 4, 0);
        int read = btf.struct("tk_read_base", 24, Member.at(0, "shift", integer), Member.at(8, "xtime_nsec", number),
                Member.at(16, "base", number));
        btf.struct("timekeeper", 48, Member.at(0, "tkr_mono", read), Member.at(24, "xtime_sec", number),
                Member.at(32, "ktime_sec", number), Member.at(40, "offs_boot", number));
        return btf;
    }

    private static MadeUpLinux guest(long lock) {
        long clock = CORE + lock;
        return new MadeUpLinux()
                .symbol("tk_core", 'd', CORE)
                .put32(clock, 8)
                .put64(clock + 8, SECOND / 4 << 8)
                .put64(clock + 16, 1000 * SECOND)
                .put64(clock + 24, 1_800_000_000)
                .put64(clock + 32, 1000)
                .put64(clock + 40, 60 * SECOND);
    }

    @Test
    void itIsFoundBehindItsLock() {
        for (long lock : new long[] {8, 16}) {
            KernelClock clock = KernelClock.of(guest(lock).with(types())).orElseThrow();
            assertEquals(Duration.ofMillis(1_060_250), clock.uptime());
            assertEquals(Instant.parse("2027-01-15T08:00:00.250Z"), clock.now());
            assertEquals(Instant.parse("2027-01-15T07:42:20Z"), clock.started());
        }
    }

    @Test
    void whatNoClockShowsIsNoClock() {
        assertEquals(Optional.empty(), KernelClock.of(new MadeUpLinux().with(types())));
        assertEquals(Optional.empty(), KernelClock.of(new MadeUpLinux().symbol("tk_core", 'd', CORE).with(types())));
        assertEquals(Optional.empty(), KernelClock.of(new MadeUpLinux().symbol("tk_core", 'd', 0x4141).with(types())));
        for (long member : new long[] {8, 16, 24, 32, 40}) {
            MadeUpLinux damaged = guest(8).put64(CORE + 8 + member, Long.MAX_VALUE);
            assertEquals(Optional.empty(), KernelClock.of(damaged.with(types())));
            assertEquals(Optional.empty(),
                    KernelClock.of(damaged.put64(CORE + 8 + member, Long.MIN_VALUE).with(types())));
        }
        assertEquals(Optional.empty(), KernelClock.of(guest(8).put32(CORE + 8, -1).with(types())));
    }
}

package dev.guestcore.linux.export;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClockTest {

    private static long ticks(long hertz, long seconds) {
        return (-300 * hertz & 0xffffffffL) + hertz * seconds;
    }

    @ParameterizedTest
    @ValueSource(longs = {100, 250, 300, 1000})
    void findsTheRateThatFits(long hertz) {
        assertEquals(OptionalLong.of(hertz), Clock.agreeing(ticks(hertz, 3600), 3600));
        assertEquals(OptionalLong.of(hertz), Clock.agreeing(ticks(hertz, 100_000), 100_001));
    }

    @Test
    void guessesNoRate() {
        assertEquals(OptionalLong.empty(), Clock.agreeing(ticks(24, 3600), 3600));
        assertEquals(OptionalLong.empty(), Clock.agreeing(0, 3600));
        assertEquals(OptionalLong.empty(), Clock.agreeing(-1, -1));
    }
}

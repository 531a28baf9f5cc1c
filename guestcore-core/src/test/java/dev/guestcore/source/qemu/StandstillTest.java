package dev.guestcore.source.qemu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Whose a standstill is. */
class StandstillTest {

    private static final Instant BEGIN = Instant.parse("2026-01-01T00:00:00Z");

    /** Events a second apart. */
    private static Standstill after(String... events) {
        List<QmpClient.Event> list = new ArrayList<>();
        for (String event : events) {
            String[] words = event.split(" ");
            list.add(new QmpClient.Event(words[0], BEGIN.plusSeconds(list.size()), words.length > 1 ? words[1] : ""));
        }
        return Standstill.of(list);
    }

    @Test
    void theFirstPairIsOurs() {
        assertFalse(after().isOurs());
        assertTrue(after("STOP").isOurs());
        Standstill over = after("STOP", "RESUME");
        assertFalse(over.isOurs());
        assertEquals(Optional.of(Duration.ofSeconds(1)), over.length());
        assertEquals(List.of(), over.duringSnapshot());
    }

    @Test
    void whatStopsItLaterIsNot() {
        Standstill paused = after("STOP", "RESUME", "STOP");
        assertFalse(paused.isOurs());
        assertEquals(Optional.of(BEGIN), paused.stopped());
        assertEquals(Optional.of(Duration.ofSeconds(1)), paused.length());
        assertEquals(Optional.of(BEGIN.plusSeconds(2)), paused.stoppedAgain());
        assertTrue(paused.duringSnapshot().getFirst().message().contains("somebody else stopped the guest at 2026"));
        Standstill twice = after("STOP", "RESUME", "STOP", "RESUME", "STOP", "RESUME");
        assertEquals(Optional.of(Duration.ofSeconds(1)), twice.length());
        assertFalse(twice.isOurs());
    }

    @Test
    void aPanicIsTold() {
        Standstill later = after("STOP", "RESUME", "GUEST_PANICKED pause", "STOP");
        assertFalse(later.isOurs());
        String message = later.duringSnapshot().getFirst().message();
        assertTrue(message.contains("its state before the panic, and QEMU keeps it paused"), message);
        assertEquals(1, later.duringSnapshot().size());
        Standstill before = after("GUEST_PANICKED run", "STOP", "RESUME");
        assertTrue(before.duringSnapshot().getFirst().message().contains("captured after the panic"));
        assertFalse(after("GUEST_PANICKED pause", "STOP").isOurs());
        assertTrue(after("GUEST_PANICKED run", "STOP").isOurs());
    }
}

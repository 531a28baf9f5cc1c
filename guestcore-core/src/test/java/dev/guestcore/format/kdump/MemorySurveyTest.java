package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class MemorySurveyTest {

    private static final int PAGE = 4096;

    @Test
    void knowsZeroPages() {
        byte[] memory = new byte[40 * PAGE];
        for (int page = 0; page < 40; page += 3) {
            memory[page * PAGE + page * 100] = 1;
        }
        try (Guest guest =
                Guest.builder().ram(0x10000, MemorySegment.ofArray(memory)).build()) {
            MemorySurvey survey = MemorySurvey.of(guest.memory());
            for (int page = 0; page < 40; page++) {
                assertEquals(page % 3 != 0, survey.isZero(16 + page), "page " + page);
            }
            assertFalse(survey.isZero(15), "not there");
            assertFalse(survey.isZero(16 + 40), "behind");
            assertFalse(survey.isZero(1L << 40), "far behind");
        }
    }

    @Test
    void knowsNothingOfPagesThatAreThereInPartOnly() {
        try (Guest guest = Guest.builder()
                .ram(0x800, MemorySegment.ofArray(new byte[PAGE]))
                .build()) {
            MemorySurvey survey = MemorySurvey.of(guest.memory());
            assertFalse(survey.isZero(0));
            assertFalse(survey.isZero(1));
        }
    }

    @Test
    void findsVmcoreInfo() {
        String text = "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82613400\n";
        byte[] memory = new byte[64 * PAGE];
        memory[0] = 1;
        System.arraycopy(text.getBytes(StandardCharsets.US_ASCII), 0, memory, 33 * PAGE, text.length());
        try (Guest guest =
                Guest.builder().ram(0, MemorySegment.ofArray(memory)).build()) {
            MemorySurvey survey = MemorySurvey.of(guest.memory());
            assertEquals(text, survey.vmcoreInfo().orElseThrow().text());
            assertFalse(survey.isZero(0));
            assertTrue(survey.isZero(63));
            assertFalse(survey.isZero(33));
            assertEquals(Optional.empty(), survey.banner());
        }
    }

    @Test
    void oneThatWasNotMadeKnowsNothing() {
        assertFalse(new MemorySurvey().isZero(0));
        assertEquals(Optional.empty(), new MemorySurvey().vmcoreInfo());
    }
}

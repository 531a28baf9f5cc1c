package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Guest;
import dev.guestcore.arch.Architectures;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;

class WatchedGuestTest {

    @Test
    void readsNumbersInTheByteOrderOfTheGuest() {
        byte[] page = new byte[4096];
        page[3] = 7;
        Guest built = Guest.builder()
                .architecture(Architectures.S390X)
                .byteOrder(ByteOrder.BIG_ENDIAN)
                .ram(0, MemorySegment.ofArray(page))
                .build();
        try (Guest guest = WatchedGuest.of(built)) {
            assertEquals(7, guest.memory().readInt(0));
        }
    }
}

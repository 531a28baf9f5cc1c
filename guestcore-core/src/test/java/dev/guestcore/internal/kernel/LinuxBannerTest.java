package dev.guestcore.internal.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Guest;
import dev.guestcore.kernel.LinuxBanner;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class LinuxBannerTest {

    private static final byte[] TEXT =
            "Linux version 6.1.0-9 (me@there) (gcc 12) #1 SMP 6.1.27\n".getBytes(StandardCharsets.US_ASCII);

    private static final Optional<LinuxBanner> BANNER = Optional.of(new LinuxBanner("6.1.0-9", "#1 SMP 6.1.27"));

    private static Optional<LinuxBanner> find(byte[] memory) {
        try (Guest guest =
                Guest.builder().ram(0x1000, MemorySegment.ofArray(memory)).build()) {
            Optional<LinuxBanner> found = LinuxBanner.find(guest.memory());
            assertEquals(
                    found,
                    KernelSearchTest.search(guest.memory(), memory.length, 16).banner(),
                    "in the pages that are written");
            return found;
        }
    }

    private static byte[] bannerAt(int offset, int size, byte around) {
        byte[] memory = new byte[size];
        Arrays.fill(memory, around);
        System.arraycopy(TEXT, 0, memory, offset, TEXT.length);
        return memory;
    }

    @Test
    void isFoundAtEveryOffset() {
        for (byte around : new byte[] {0, 'L', ' ', 'e'}) {
            for (int offset = 0; offset < 64; offset++) {
                assertEquals(BANNER, find(bannerAt(offset, 4096, around)), "offset " + offset);
            }
        }
    }

    @Test
    void isFoundAtTheEndOfMemory() {
        for (int size = 4096; size < 4096 + 16; size++) {
            assertEquals(BANNER, find(bannerAt(size - TEXT.length, size, (byte) 'L')));
        }
    }

    @Test
    void isFoundAcrossPiecesOfTheSearch() {
        for (int before = 0; before <= TEXT.length; before++) {
            assertEquals(BANNER, find(bannerAt((1 << 20) - before, 3 << 20, (byte) 0)), before + " bytes before");
        }
    }

    @Test
    void isFoundAcrossPages() {
        for (byte around : new byte[] {0, 'L', 'x'}) {
            for (int before = 0; before <= TEXT.length; before++) {
                assertEquals(BANNER, find(bannerAt(8192 - before, 3 * 4096, around)), before + " bytes before");
            }
        }
    }

    @Test
    void theFirstIsTaken() {
        byte[] memory = bannerAt(4096 - 5, 3 * 4096, (byte) 'u');
        byte[] other = "Linux version 5.0 (me@there) (gcc 8) #2 SMP\n".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(other, 0, memory, 4096 + 1000, other.length);
        assertEquals(BANNER, find(memory));
        System.arraycopy(other, 0, memory, 100, other.length);
        assertEquals(Optional.of(new LinuxBanner("5.0", "#2 SMP")), find(memory));
    }

    @Test
    void whatOnlyBeginsLikeABannerIsNone() {
        byte[] memory = bannerAt(100, 4096, (byte) 0);
        memory[100 + "Linux versio".length()] = 'm';
        assertEquals(Optional.empty(), find(memory));
        memory = new byte[4096];
        System.arraycopy(TEXT, 0, memory, 4096 - 20, 20);
        assertEquals(Optional.empty(), find(memory));
    }
}

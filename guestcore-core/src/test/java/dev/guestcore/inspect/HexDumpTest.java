package dev.guestcore.inspect;

import static dev.guestcore.inspect.MadeUp.TIB;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;

class HexDumpTest {

    private static String dump(Guest guest, long address, long length) throws IOException {
        StringBuilder out = new StringBuilder();
        HexDump.write(guest.memory(), address, length, out);
        return out.toString();
    }

    @Test
    void showsBytesAndPrintableText() throws IOException {
        byte[] bytes = "ABC\u001b[31m~\u007f\n and the rest".getBytes(StandardCharsets.ISO_8859_1);
        Guest guest = Guest.builder().ram(0x1000, MemorySegment.ofArray(bytes)).build();
        assertEquals(
                """
                0x0000000000001000  41 42 43 1b 5b 33 31 6d  7e 7f 0a 20 61 6e 64 20  |ABC.[31m~.. and |
                0x0000000000001010  74 68 65 20 72 65 73 74                           |the rest        |
                0x0000000000001018
                """,
                dump(guest, 0x1000, bytes.length));
    }

    @Test
    void linesBeginAtMultiplesOfSixteenAndHolesAreMarked() throws IOException {
        Guest guest = Guest.builder().ram(0x1000, MemorySegment.ofArray(new byte[] {1, 2, 3})).build();
        assertEquals(
                """
                0x0000000000000ff0                                             ?? ??  |              ??|
                0x0000000000001000  01 02 03 ?? ??                                    |...??           |
                0x0000000000001005
                """,
                dump(guest, 0xffe, 7));
    }

    @Test
    void foldsRepeatedLines() throws IOException {
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, 2 * 4096), MadeUp.failing(page -> 0x1111111111111111L, Set.of(1L)))
                .build();
        assertEquals(
                """
                0x0000000000000000  11 11 11 11 11 11 11 11  11 11 11 11 11 11 11 11  |................|
                *
                0x0000000000001000  ?? ?? ?? ?? ?? ?? ?? ??  ?? ?? ?? ?? ?? ?? ?? ??  |????????????????|
                *
                0x0000000000002000
                """,
                dump(guest, 0, 2 * 4096));
    }

    @Test
    void jumpsOverZerosAndHolesOfAnySize() {
        byte[] end = "end of the line.".getBytes(StandardCharsets.US_ASCII);
        Guest guest = Guest.builder()
                .region(MadeUp.ram(0, TIB), RegionContents.zeros())
                .region(MadeUp.ram(2 * TIB, TIB), MadeUp.in(PageState.EXCLUDED))
                .ram(3 * TIB, MemorySegment.ofArray(end))
                .build();
        String expected =
                """
                0x0000000000000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
                *
                0x0000010000000000  ?? ?? ?? ?? ?? ?? ?? ??  ?? ?? ?? ?? ?? ?? ?? ??  |????????????????|
                *
                0x0000030000000000  65 6e 64 20 6f 66 20 74  68 65 20 6c 69 6e 65 2e  |end of the line.|
                0x0000030000000010
                """;
        assertTimeoutPreemptively(
                Duration.ofSeconds(10), () -> assertEquals(expected, dump(guest, 0, 3 * TIB + end.length)));
    }

    @Test
    void endsWithTheAddressSpace() throws IOException {
        Guest guest = Guest.builder().ram(-16L, MemorySegment.ofArray(new byte[16])).build();
        assertEquals(
                """
                0xfffffffffffffff0  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|
                end of the address space
                """,
                dump(guest, -16L, 4096));
        assertEquals("", dump(guest, 0, 0));
        assertThrows(IllegalArgumentException.class, () -> dump(guest, 0, -1));
    }

    @Test
    void onlyPrintableAsciiIsWritten() throws IOException {
        byte[] all = new byte[256];
        for (int i = 0; i < all.length; i++) {
            all[i] = (byte) i;
        }
        Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(all)).build();
        assertTrue(dump(guest, 0, 256).matches("[\n -~]*"));
    }
}

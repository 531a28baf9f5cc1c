package dev.guestcore.linux.export;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;

class BytesTest {

    private static String hex(Bytes bytes) {
        return HexFormat.of().formatHex(bytes.toArray());
    }

    /** The examples of DWARF 4, figures 22 and 23. */
    @Test
    void writesNumbersAsDwarfShowsThem() {
        assertEquals("02", hex(new Bytes().uleb(2)));
        assertEquals("7f", hex(new Bytes().uleb(127)));
        assertEquals("8001", hex(new Bytes().uleb(128)));
        assertEquals("b964", hex(new Bytes().uleb(12857)));
        assertEquals("02", hex(new Bytes().sleb(2)));
        assertEquals("7e", hex(new Bytes().sleb(-2)));
        assertEquals("ff00", hex(new Bytes().sleb(127)));
        assertEquals("817f", hex(new Bytes().sleb(-127)));
        assertEquals("8001", hex(new Bytes().sleb(128)));
        assertEquals("807f", hex(new Bytes().sleb(-128)));
        assertEquals("ff7e", hex(new Bytes().sleb(-129)));
        assertEquals("ffffffffffffffffff01", hex(new Bytes().uleb(-1)));
        assertEquals("8080808080808080807f", hex(new Bytes().sleb(Long.MIN_VALUE)));
    }

    @Test
    void writesWordsAndTexts() {
        assertEquals("01020304050607080000", hex(new Bytes().u64(0x0807060504030201L).u16(0)));
        assertEquals("ffff0000c3a400", hex(new Bytes().u32(0xffff).text("ä")));
    }
}

package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.HexFormat;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AddressesTest {

    @ParameterizedTest
    @CsvSource({
        "7f000001, 127.0.0.1",
        "ffffffff, 255.255.255.255",
        "00000000000000000000000000000000, ::",
        "00000000000000000000000000000001, ::1",
        "20010db8000000000000000000000001, 2001:db8::1",
        "20010db8000000010000000000000001, 2001:db8:0:1::1",
        "20010db8000000010001000000000000, 2001:db8:0:1:1::",
        "20010000000000010000000000010001, 2001::1:0:0:1:1",
        "20010db8000100010001000100010001, 2001:db8:1:1:1:1:1:1",
        "20010db8000000010001000100010001, 2001:db8:0:1:1:1:1:1",
        "fe8000000000000018d56cfffe356326, fe80::18d5:6cff:fe35:6326",
        "00000000000000000000ffffc0000201, ::ffff:192.0.2.1",
        "00000000000000000001ffffc0000201, ::1:ffff:c000:201"
    })
    void writesAddressesAsPeopleDo(String bytes, String text) {
        assertEquals(text, Addresses.text(HexFormat.of().parseHex(bytes)));
    }

    @Test
    void writesHardwareAddresses() {
        assertEquals("52:54:00:12:34:ff", Addresses.hardware(HexFormat.of().parseHex("5254001234ff")));
    }
}

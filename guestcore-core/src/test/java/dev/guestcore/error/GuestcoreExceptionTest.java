package dev.guestcore.error;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class GuestcoreExceptionTest {

    /** A hypervisor's answer or a name in a dump is quoted in messages, and may hold anything. */
    @Test
    void everyMessageIsOneLine() {
        assertEquals(
                "a \\u000ab\\u000d\\u001b[0m\\u0085\\u2028 ü \ud83d\ude00",
                new SourceException("a \nb\r\u001b[0m\u0085\u2028 ü \ud83d\ude00").getMessage());
        assertEquals(
                "f\\u0009: at offset 0x1: name: expected text, found \\u0000",
                new MalformedDumpException("f\t", 1, "name", "text", "\0", "").getMessage());
    }
}

package dev.guestcore.serve.gdb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PacketStreamTest {

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    private PacketStream stream(String sent) {
        return new PacketStream(new ByteArrayInputStream(Wire.bytes(sent)), out);
    }

    private String written() {
        return out.toString(StandardCharsets.ISO_8859_1);
    }

    @Test
    void readsAndAcknowledgesAPacket() throws IOException {
        PacketStream stream = stream("+$g#67");
        assertEquals(Optional.of("g"), stream.next());
        assertEquals("+", written());
        assertEquals(Optional.empty(), stream.next());
    }

    @Test
    void undoesEscapesAndKeepsAsterisks() throws IOException {
        assertEquals(Optional.of("a#b$c}d*"), stream("$a}\u0003b}\u0004c}]d*#" + sum("a}\u0003b}\u0004c}]d*")).next());
    }

    private static String sum(String raw) {
        return String.format("%02x", raw.chars().sum() % 256);
    }

    @Test
    void refusesAWrongSumAndTakesTheRepetition() throws IOException {
        PacketStream stream = stream("$g#68$g#xx$g#67");
        assertEquals(Optional.of("g"), stream.next());
        assertEquals("--+", written());
    }

    @Test
    void staysSilentOnceAcknowledgementsAreOff() throws IOException {
        PacketStream stream = stream("$g#68$g#67");
        stream.stopAcknowledging();
        assertEquals(Optional.of("g"), stream.next());
        assertEquals("", written());
    }

    @Test
    void aPacketCutShortIsFollowedByTheNext() throws IOException {
        PacketStream stream = stream("$m1234,$g#67$m12");
        assertEquals(Optional.of("g"), stream.next());
        assertEquals(Optional.empty(), stream.next());
    }

    @Test
    void repeatsAReplyAFewTimesOnly() throws IOException {
        PacketStream stream = stream("-".repeat(500) + "$g#67");
        stream.send("OK");
        assertEquals(Optional.of("g"), stream.next());
        assertEquals("$OK#9a".repeat(9) + "+", written());
    }

    @Test
    void leavesAClientThatSendsRubbish() throws IOException {
        assertEquals(Optional.empty(), stream("x".repeat(5000) + "$g#67").next());
        assertEquals(Optional.empty(), stream("$g#00".repeat(100) + "$g#67").next());
        assertEquals(Optional.empty(), stream("$".repeat(5000) + "$g#67").next());
        assertEquals(Optional.empty(), stream("-".repeat(5000) + "$g#67").next());
        PacketStream silent = stream("+".repeat(5000) + "$g#67");
        silent.stopAcknowledging();
        assertEquals(Optional.empty(), silent.next());
    }

    @Test
    void takesThePacketThatWeSaidWeTake() throws IOException {
        String body = "X".repeat(PacketStream.LARGEST);
        assertEquals(Optional.of(body), stream(Wire.frame(body)).next());
    }

    @Test
    void aPacketSentAgainBeforeWeWereReadyIsOne() throws IOException {
        PacketStream stream = stream("+$qC#b4$qC#b4$qC#b4$g#67");
        assertEquals(Optional.of("qC"), stream.next());
        assertEquals("+++", written());
        assertEquals(Optional.of("g"), stream.next());
        PacketStream silent = stream("$qC#b4$qC#b4");
        silent.stopAcknowledging();
        assertEquals(Optional.of("qC"), silent.next());
        assertEquals(Optional.of("qC"), silent.next());
    }

    @Test
    void refusesALargerPacketAndGoesOn() throws IOException {
        PacketStream stream = stream(Wire.frame("X".repeat(PacketStream.LARGEST + 1)) + "$g#67");
        RequestException refused = assertThrows(RequestException.class, stream::next);
        assertEquals("a packet has at most 131072 bytes", refused.getMessage());
        assertEquals(Optional.of("g"), stream.next());
    }

    @Test
    void anEndlessPacketTakesNoMemory() {
        long[] left = {1L << 29};
        InputStream endless = new InputStream() {
            private boolean begun;

            @Override
            public int read() {
                throw new AssertionError("bytes are read in blocks");
            }

            @Override
            public int read(byte[] target, int offset, int length) {
                Arrays.fill(target, offset, offset + length, (byte) 'm');
                if (!begun) {
                    target[offset] = '$';
                    begun = true;
                }
                left[0] -= length;
                return left[0] > 0 ? length : -1;
            }
        };
        // Half a GiB with a heap of 128 MiB.
        assertTimeoutPreemptively(
                Duration.ofSeconds(120), () -> assertEquals(Optional.empty(), new PacketStream(endless, out).next()));
    }

    @Test
    void shortensRunsAsTheProtocolHasIt() throws IOException {
        stream("").send("0000");
        assertEquals("$0* #7a", written());
        for (int length = 1; length < 400; length++) {
            out.reset();
            String body = "a" + "0".repeat(length) + "b";
            stream("").send(body);
            assertEquals(List.of(body), Wire.decode(written()), "run of " + length);
            assertTrue(written().length() < 32, () -> "no run is left long: " + written());
            String counts = written().replaceAll("\\$a|b#..$", "");
            assertFalse(counts.matches("(?s).*\\*[#$%+-].*"), written());
        }
    }

    @Test
    void sendsAnyBytes() throws IOException {
        Random random = new Random(20261121);
        for (int round = 0; round < 2000; round++) {
            byte[] bytes = new byte[random.nextInt(300)];
            random.nextBytes(bytes);
            for (int i = 1; i < bytes.length; i++) {
                // Long runs, also of bytes that need an escape.
                bytes[i] = random.nextInt(4) == 0 ? (byte) "$#*}0".charAt(random.nextInt(5)) : bytes[i - 1];
            }
            out.reset();
            stream("").send(bytes);
            assertEquals(List.of(new String(bytes, StandardCharsets.ISO_8859_1)), Wire.decode(written()));
        }
    }

    @Test
    void garbageEndsASessionAndHarmsNothing() {
        Random random = new Random(8807);
        String symbols = "$#+-}*\u0003mxgpHqQvTZcMk:;,0123456789abcdef";
        assertTimeoutPreemptively(Duration.ofSeconds(120), () -> {
            for (int round = 0; round < 3000; round++) {
                StringBuilder sent = new StringBuilder();
                int length = random.nextInt(600);
                for (int i = 0; i < length; i++) {
                    boolean any = random.nextInt(20) == 0;
                    sent.append(any ? (char) random.nextInt(256) : symbols.charAt(random.nextInt(symbols.length())));
                }
                PacketStream stream = stream(sent.toString());
                while (stream.next().isPresent()) {
                    stream.send("OK");
                }
                out.reset();
            }
        });
    }
}

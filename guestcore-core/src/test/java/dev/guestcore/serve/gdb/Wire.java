package dev.guestcore.serve.gdb;

import dev.guestcore.Guest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** The client's side of the wire, written for tests from the protocol alone. Characters are bytes. */
final class Wire {

    private Wire() {}

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    /** A packet as gdb sends it. */
    static String frame(String body) {
        StringBuilder escaped = new StringBuilder();
        for (char symbol : body.toCharArray()) {
            if (symbol == '$' || symbol == '#' || symbol == '}' || symbol == '*') {
                escaped.append('}').append((char) (symbol ^ 0x20));
            } else {
                escaped.append(symbol);
            }
        }
        return "$" + escaped + "#" + String.format("%02x", escaped.chars().sum() % 256);
    }

    /** All that a stream of bytes from the client gets as an answer. */
    static String exchange(Guest guest, String sent) {
        ByteArrayOutputStream answered = new ByteArrayOutputStream();
        new GdbServer(guest).serve(new ByteArrayInputStream(bytes(sent)), answered);
        return answered.toString(StandardCharsets.ISO_8859_1);
    }

    /** The replies to packets, decoded. */
    static List<String> ask(Guest guest, String... packets) {
        StringBuilder sent = new StringBuilder();
        for (String packet : packets) {
            sent.append(frame(packet)).append('+');
        }
        return decode(exchange(guest, sent.toString()));
    }

    /** The packets in what a server sent; checks every sum. */
    static List<String> decode(String received) {
        List<String> bodies = new ArrayList<>();
        int at = 0;
        while (at < received.length()) {
            if (received.charAt(at) != '$') {
                at++;
                continue;
            }
            int end = received.indexOf('#', at);
            String raw = received.substring(at + 1, end);
            int sum = Integer.parseInt(received.substring(end + 1, end + 3), 16);
            if (raw.chars().sum() % 256 != sum) {
                throw new AssertionError("wrong sum of " + raw);
            }
            bodies.add(unpack(raw));
            at = end + 3;
        }
        return bodies;
    }

    private static String unpack(String raw) {
        StringBuilder body = new StringBuilder();
        for (int i = 0; i < raw.length(); i++) {
            char symbol = raw.charAt(i);
            if (symbol == '}') {
                i++;
                body.append((char) (raw.charAt(i) ^ 0x20));
            } else if (symbol == '*') {
                i++;
                body.append(String.valueOf(body.charAt(body.length() - 1)).repeat(raw.charAt(i) - 29));
            } else {
                body.append(symbol);
            }
        }
        return body.toString();
    }
}

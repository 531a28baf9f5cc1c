package dev.guestcore.serve.gdb;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;

/**
 * The packet layer of the GDB remote protocol (GDB manual, appendix "GDB Remote Serial Protocol", sections "Overview"
 * and "Packet Acknowledgment"): {@code $} body {@code #} and two hexadecimal digits, the sum of the body's bytes modulo
 * 256. In a body {@code }} stands before a byte that is XORed with 0x20, and in a reply {@code *} and a count repeat
 * the byte before.
 *
 * <p>Bytes become characters of the same number and back. Memory in use is bounded by {@link #LARGEST}, whatever the
 * client sends. Not thread-safe.
 */
final class PacketStream {

    /** Most bytes of a body, in either direction, as they are on the wire. */
    static final int LARGEST = 0x2_0000;

    /**
     * Bytes between packets that are no part of the protocol, and packets in a row that are damaged: more, and we
     * leave.
     */
    private static final int MOST_RUBBISH = 1024;

    private static final int MOST_DAMAGED = 16;
    private static final int MOST_RESENDS = 8;
    private static final int LONGEST_RUN = 97;
    private static final int ESCAPE = '}';
    private static final int ESCAPE_MASK = 0x20;
    private static final int COUNT_OFFSET = 29;
    private static final int FIRST_BUFFER = 1024;

    /** What reading a body gives instead of its size. */
    private static final int END = -1;

    private static final int DAMAGED = -2;
    private static final int OVERSIZED = -3;

    private final InputStream in;
    private final OutputStream out;
    private final byte[] received = new byte[8192];
    private int receivedStart;
    private int receivedEnd;
    private byte[] body = new byte[FIRST_BUFFER];
    private byte[] frame = new byte[FIRST_BUFFER];
    private int frameSize;
    private boolean acknowledging = true;
    private int rubbish;
    private int damaged;
    private int resends;

    PacketStream(InputStream in, OutputStream out) {
        this.in = in;
        this.out = out;
    }

    /** Neither side acknowledges from now on. */
    void stopAcknowledging() {
        acknowledging = false;
    }

    /**
     * The next whole and undamaged packet, acknowledged.
     *
     * @return its body without escapes; empty at the end of the stream and where the client sends nothing but rubbish
     * @throws RequestException for a packet that is larger than we said; it was read to its end
     */
    Optional<String> next() throws IOException {
        while (rubbish <= MOST_RUBBISH && damaged <= MOST_DAMAGED) {
            int symbol = read();
            switch (symbol) {
                case -1 -> {
                    return Optional.empty();
                }
                case '$' -> {
                    int start = receivedStart - 1;
                    int size = readBody();
                    if (size == END) {
                        return Optional.empty();
                    }
                    if (size >= 0 || size == OVERSIZED) {
                        acknowledge('+');
                        rubbish = 0;
                        damaged = 0;
                        resends = 0;
                    }
                    if (size == OVERSIZED) {
                        throw new RequestException(
                                RequestException.INVALID, "a packet has at most " + LARGEST + " bytes");
                    }
                    if (size >= 0 && !isRepeated(start)) {
                        return Optional.of(new String(body, 0, size, StandardCharsets.ISO_8859_1));
                    }
                    if (size == DAMAGED) {
                        damaged++;
                        acknowledge('-');
                    }
                }
                case '+' -> rubbish += acknowledging ? 0 : 1;
                case '-' -> resend();
                // Ctrl-C among them: nothing ever runs, so there is nothing to interrupt.
                default -> rubbish++;
            }
        }
        return Optional.empty();
    }

    /**
     * Whether the packet that began at {@code start} in the buffer is there once more: a client that got no
     * acknowledgement in time, because we were still starting, sent it again and expects one reply.
     */
    private boolean isRepeated(int start) {
        int size = receivedStart - start;
        return acknowledging
                && start >= 0
                && size > 0
                && size <= receivedEnd - receivedStart
                && received[start] == '$'
                && Arrays.equals(received, start, receivedStart, received, receivedStart, receivedStart + size);
    }

    /** Reads on behind the dollar sign. Gives the size of the body without escapes, or a negative number. */
    private int readBody() throws IOException {
        int size = 0;
        long total = 0;
        int sum = 0;
        boolean escaped = false;
        while (true) {
            int symbol = read();
            if (symbol == -1) {
                return END;
            }
            if (symbol == '$') {
                // A dollar sign is always escaped in a body: the packet before was cut short, this is the next one.
                size = 0;
                total = 0;
                sum = 0;
                escaped = false;
                damaged++;
                if (damaged > MOST_DAMAGED) {
                    return DAMAGED;
                }
                continue;
            }
            if (symbol == '#') {
                break;
            }
            total++;
            sum += symbol;
            if (symbol == ESCAPE && !escaped) {
                escaped = true;
                continue;
            }
            if (total <= LARGEST) {
                if (size == body.length) {
                    body = Arrays.copyOf(body, Math.min(2 * size, LARGEST));
                }
                body[size++] = (byte) (escaped ? symbol ^ ESCAPE_MASK : symbol);
            }
            escaped = false;
        }
        int high = read();
        int low = read();
        if (high == -1 || low == -1) {
            return END;
        }
        boolean digits = HexFormat.isHexDigit(high) && HexFormat.isHexDigit(low);
        if (!digits || (HexFormat.fromHexDigit(high) << 4 | HexFormat.fromHexDigit(low)) != (sum & 0xff) || escaped) {
            return DAMAGED;
        }
        return total > LARGEST ? OVERSIZED : size;
    }

    private int read() throws IOException {
        if (receivedStart == receivedEnd) {
            receivedEnd = Math.max(in.read(received), 0);
            receivedStart = 0;
            if (receivedEnd == 0) {
                return -1;
            }
        }
        return received[receivedStart++] & 0xff;
    }

    private void acknowledge(char answer) throws IOException {
        if (acknowledging) {
            out.write(answer);
            out.flush();
        }
    }

    private void resend() throws IOException {
        rubbish++;
        if (acknowledging && frameSize > 0 && resends++ < MOST_RESENDS) {
            out.write(frame, 0, frameSize);
            out.flush();
        }
    }

    /** Sends a reply of any bytes, escaped and with runs shortened. */
    void send(byte[] bytes) throws IOException {
        frameSize = 0;
        put('$');
        int i = 0;
        while (i < bytes.length) {
            int value = bytes[i] & 0xff;
            if (value == '$' || value == '#' || value == '*' || value == ESCAPE) {
                put(ESCAPE);
                put(value ^ ESCAPE_MASK);
                i++;
                continue;
            }
            put(value);
            i++;
            int repeats = repeats(bytes, i);
            if (repeats >= 3) {
                put('*');
                put(repeats + COUNT_OFFSET);
                i += repeats;
            }
        }
        int sum = 0;
        for (int k = 1; k < frameSize; k++) {
            sum += frame[k];
        }
        put('#');
        put(HexFormat.of().toHighHexDigit(sum));
        put(HexFormat.of().toLowHexDigit(sum));
        out.write(frame, 0, frameSize);
        out.flush();
    }

    /** Sends a reply of characters below 256. */
    void send(String text) throws IOException {
        send(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Lets the client know that we are at work: it waits for a while after every byte, and passes over this one. */
    void keepAlive() throws IOException {
        out.write('+');
        out.flush();
    }

    /** How often the byte before {@code start} follows again, such that the count is no sign of the protocol. */
    private static int repeats(byte[] bytes, int start) {
        int count = 0;
        while (count < LONGEST_RUN && start + count < bytes.length && bytes[start + count] == bytes[start - 1]) {
            count++;
        }
        int symbol = count + COUNT_OFFSET;
        return symbol == '#' || symbol == '$' || symbol == '%' || symbol == '+' || symbol == '-'
                ? repeatsBelow(count)
                : count;
    }

    private static int repeatsBelow(int count) {
        int fewer = count;
        int symbol;
        do {
            fewer--;
            symbol = fewer + COUNT_OFFSET;
        } while (symbol == '#' || symbol == '$' || symbol == '%' || symbol == '+' || symbol == '-');
        return fewer;
    }

    private void put(int value) {
        if (frameSize == frame.length) {
            frame = Arrays.copyOf(frame, 2 * frameSize);
        }
        frame[frameSize++] = (byte) value;
    }
}

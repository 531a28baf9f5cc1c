package dev.guestcore.linux;

import java.util.Arrays;
import java.util.HexFormat;

/** Network addresses as people write them. */
final class Addresses {

    private static final int IPV4_BYTES = 4;
    private static final int WORDS = 8;

    private Addresses() {}

    /** An address of 4 or 16 bytes; those of IPv6 by RFC 5952. */
    static String text(byte[] bytes) {
        if (bytes.length == IPV4_BYTES) {
            return (bytes[0] & 0xff) + "." + (bytes[1] & 0xff) + "." + (bytes[2] & 0xff) + "." + (bytes[3] & 0xff);
        }
        int[] words = new int[WORDS];
        for (int i = 0; i < WORDS; i++) {
            words[i] = (bytes[2 * i] & 0xff) << 8 | bytes[2 * i + 1] & 0xff;
        }
        if (isMapped(words)) {
            return "::ffff:" + text(Arrays.copyOfRange(bytes, 12, 16));
        }
        return shortened(words);
    }

    private static boolean isMapped(int[] words) {
        for (int i = 0; i < 5; i++) {
            if (words[i] != 0) {
                return false;
            }
        }
        return words[5] == 0xffff;
    }

    /** The longest run of two or more zero words is left out, the first of several. */
    private static String shortened(int[] words) {
        int start = -1;
        int length = 1;
        for (int i = 0; i < WORDS; i++) {
            int end = i;
            while (end < WORDS && words[end] == 0) {
                end++;
            }
            if (end - i > length) {
                start = i;
                length = end - i;
            }
        }
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < WORDS; i++) {
            if (i == start) {
                text.append("::");
                i += length - 1;
            } else {
                text.append(text.isEmpty() || text.charAt(text.length() - 1) == ':' ? "" : ":")
                        .append(Integer.toHexString(words[i]));
            }
        }
        return text.toString();
    }

    /** An address of a network device: {@code 52:54:00:12:34:56}. */
    static String hardware(byte[] bytes) {
        return HexFormat.ofDelimiter(":").formatHex(bytes);
    }
}

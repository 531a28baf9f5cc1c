package dev.guestcore.format.kdump;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The line with which a Linux kernel greets, as it lies in its memory: "Linux version RELEASE (builder) (compiler) VERSION".
 *
 * @param release as {@code uname -r} says it
 * @param version as {@code uname -v} says it
 */
record LinuxBanner(String release, String version) {

    private static final byte[] BEGINNING = "Linux version ".getBytes(StandardCharsets.US_ASCII);
    private static final Pattern BANNER =
            Pattern.compile("Linux version (\\d+\\.\\d+[^ %]{0,60}) \\(.{1,400}\\) (#\\d[\\x20-\\x7e]{0,63})[\\n\\x00]");
    private static final int LONGEST = 1024;
    private static final int CHUNK = 1 << 16;

    /** It is so long that one of so many neighbouring places holds one of its first bytes, which are all different. */
    private static final int STRIDE = 8;

    /** By byte: its place among those first bytes, or -1. */
    private static final byte[] PLACE = places();

    private static byte[] places() {
        byte[] places = new byte[1 << Byte.SIZE];
        Arrays.fill(places, (byte) -1);
        for (byte i = 0; i < STRIDE; i++) {
            places[BEGINNING[i]] = i;
        }
        return places;
    }

    /** Reads memory from the lowest address on until it finds a banner. */
    static Optional<LinuxBanner> find(GuestMemory memory) {
        byte[] buffer = new byte[CHUNK + LONGEST];
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            long address = region.range().first();
            while (true) {
                long left = region.range().last() - address;
                int wanted = left < buffer.length - 1 ? (int) left + 1 : buffer.length;
                PageRun run = memory.contentRunAt(address);
                int read = run.state() == PageState.PRESENT
                        ? (int) memory.readAvailable(address, MemorySegment.ofArray(buffer).asSlice(0, wanted))
                        : 0;
                Optional<LinuxBanner> found = inBuffer(buffer, read);
                if (found.isPresent()) {
                    return found;
                }
                // Unsigned: a run without content may be as long as the address space.
                long rest = run.range().last() - address;
                long step = read > 0 ? Math.min(read, CHUNK) : rest + 1;
                if (step == 0 || Long.compareUnsigned(step - 1, left) >= 0) {
                    break;
                }
                address += step;
            }
        }
        return Optional.empty();
    }

    private static Optional<LinuxBanner> inBuffer(byte[] buffer, int size) {
        for (int looked = 0; looked < size; looked += STRIDE) {
            int place = PLACE[buffer[looked] & 0xff];
            int at = looked - place;
            if (place < 0
                    || at < 0
                    || at > size - BEGINNING.length
                    || !Arrays.equals(buffer, at, at + BEGINNING.length, BEGINNING, 0, BEGINNING.length)) {
                continue;
            }
            String text = new String(buffer, at, Math.min(LONGEST, size - at), StandardCharsets.ISO_8859_1);
            Matcher banner = BANNER.matcher(text);
            if (banner.lookingAt()) {
                return Optional.of(new LinuxBanner(banner.group(1), banner.group(2)));
            }
        }
        return Optional.empty();
    }
}

package dev.guestcore.kernel;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.cpu.Architecture;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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
public record LinuxBanner(String release, String version) {

    /**
     * A regular expression for the bytes of any banner, also one whose parts nobody knows, with the line end and the zero byte
     * behind it. At most 512 bytes long.
     */
    public static final String PATTERN = "Linux version [0-9]+\\.[0-9]+[ -~]{8,480}\\n\\x00";

    private static final Pattern RELEASE = Pattern.compile("Linux version (\\S{1,128}) [ -~]+");

    private static final byte[] BEGINNING = "Linux version ".getBytes(StandardCharsets.US_ASCII);
    private static final Pattern BANNER =
            Pattern.compile(
                    "Linux version (\\d+\\.\\d+[^ %]{0,60}) \\(.{1,400}\\) (#\\d[\\x20-\\x7e]{0,63})[\\n\\x00]");
    private static final int LONGEST = 1024;
    private static final int CHUNK = 1 << 16;
    private static final int PAGE = Architecture.SMALLEST_PAGE;

    private static final long ONES = 0x0001_0001_0001_0001L;
    private static final long TOP_BITS = ONES << 15;

    /** Two pairs of neighbouring bytes, four times each: wherever a banner begins, one of them lies at an even place. */
    private static final long PAIR = repeated(4);

    private static final long OTHER_PAIR = repeated(3);
    private static final ValueLayout.OfLong LITTLE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static long repeated(int at) {
        return ONES * (BEGINNING[at] | BEGINNING[at + 1] << Byte.SIZE);
    }

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

    /**
     * The release in a banner, as {@code uname -r} says it; empty if the text is no banner.
     *
     * @param text without a line end
     */
    public static Optional<String> releaseIn(String text) {
        Matcher banner = RELEASE.matcher(text);
        return banner.matches() ? Optional.of(banner.group(1)) : Optional.empty();
    }

    /** Reads memory from the lowest address on until it finds a banner. */
    public static Optional<LinuxBanner> find(GuestMemory memory) {
        MemorySegment chunk = Arena.ofAuto().allocate(CHUNK, PAGE);
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            long address = region.range().first();
            while (true) {
                long left = region.range().last() - address;
                long wanted = Long.compareUnsigned(left, CHUNK - 1) < 0 ? left + 1 : CHUNK;
                PageRun run = memory.contentRunAt(address);
                long read = run.state() == PageState.PRESENT
                        ? memory.readAvailable(address, chunk.asSlice(0, wanted))
                        : 0;
                for (long at = 0; at < read; at += PAGE) {
                    Optional<LinuxBanner> found = find(memory, address + at, chunk, at, Math.min(PAGE, read - at));
                    if (found.isPresent()) {
                        return found;
                    }
                }
                // Unsigned: a run without content may be as long as the address space.
                long rest = run.range().last() - address;
                long step = read > 0 ? read : rest + 1;
                if (step == 0 || Long.compareUnsigned(step - 1, left) >= 0) {
                    break;
                }
                address += step;
            }
        }
        return Optional.empty();
    }

    /**
     * Looks for the first banner that begins in a piece of memory, or that began before it and lies in both.
     *
     * @param memory where what does not lie in the piece is read
     * @param address guest-physical address of the piece
     * @param bytes holds the piece
     * @param offset where the piece begins in {@code bytes}
     * @param size of the piece
     */
    public static Optional<LinuxBanner> find(
            GuestMemory memory, long address, MemorySegment bytes, long offset, long size) {
        if (!mayHoldPair(bytes, offset, size)) {
            return Optional.empty();
        }
        for (long looked = 0; looked < size; looked += STRIDE) {
            int place = PLACE[bytes.get(ValueLayout.JAVA_BYTE, offset + looked) & 0xff];
            if (place >= 0 && agrees(bytes, offset, size, looked - place)) {
                Optional<LinuxBanner> found = at(memory, address + looked - place);
                if (found.isPresent()) {
                    return found;
                }
            }
        }
        // What begins so near the end has its place for the stride behind it.
        for (long start = Math.max(0, size - STRIDE + 1); start < size; start++) {
            Optional<LinuxBanner> found =
                    agrees(bytes, offset, size, start) ? at(memory, address + start) : Optional.empty();
            if (found.isPresent()) {
                return found;
            }
        }
        return Optional.empty();
    }

    /** Seldom true where there is no banner. The compiler makes this loop into one over many words at a time. */
    private static boolean mayHoldPair(MemorySegment bytes, long offset, long size) {
        long found = 0;
        long whole = size & -Long.BYTES;
        for (long at = 0; at < whole; at += Long.BYTES) {
            long word = bytes.get(LITTLE_LONG, offset + at);
            long pair = word ^ PAIR;
            long other = word ^ OTHER_PAIR;
            // The top bit of each 16 bits that are zero, and of some above these.
            found |= pair - ONES & ~pair | other - ONES & ~other;
        }
        return (found & TOP_BITS) != 0 || whole < size;
    }

    /** Whether what lies in the piece of a banner that would begin at {@code start} is right. */
    private static boolean agrees(MemorySegment bytes, long offset, long size, long start) {
        for (int i = (int) Math.max(0, -start); i < Math.min(BEGINNING.length, size - start); i++) {
            if (bytes.get(ValueLayout.JAVA_BYTE, offset + start + i) != BEGINNING[i]) {
                return false;
            }
        }
        return true;
    }

    private static Optional<LinuxBanner> at(GuestMemory memory, long address) {
        byte[] buffer = new byte[LONGEST];
        int size = (int) memory.readAvailable(address, MemorySegment.ofArray(buffer));
        Matcher banner = BANNER.matcher(new String(buffer, 0, size, StandardCharsets.ISO_8859_1));
        return banner.lookingAt()
                ? Optional.of(new LinuxBanner(banner.group(1), banner.group(2)))
                : Optional.empty();
    }
}

package dev.guestcore.inspect;

import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The classic hex dump: address, 16 bytes, the same as text.
 *
 * <pre>
 * 0x0000000000001000  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00  |.ELF............|
 * 0x0000000000001010  ?? ?? ?? ?? ?? ?? ?? ??  ?? ?? ?? ?? ?? ?? ?? ??  |????????????????|
 * *
 * 0x0000000000002000
 * </pre>
 *
 * <p>Lines begin at multiples of 16; a byte that was not asked for is blank. {@code ??} is a byte that cannot be read.
 * A {@code *} stands for any number of lines that equal the one before. The last line is the address after the last
 * byte. Addresses have all 16 digits. Only printable ASCII is written, so no byte of the guest can control a terminal.
 */
public final class HexDump {

    private static final int PER_LINE = 16;
    private static final int ADDRESS_DIGITS = 16;
    /** What stands for the address behind the last one. */
    static final String END = "end of the address space";
    private static final byte BLANK = 0;
    private static final byte READABLE = 1;
    private static final byte LOST = 2;
    private static final byte[] HEX_DIGITS = "0123456789abcdef".getBytes(StandardCharsets.US_ASCII);

    private final GuestMemory memory;
    private final long first;
    private final long last;
    private final Appendable out;
    private final byte[] bytes = new byte[Pages.SIZE];
    private final byte[] marks = new byte[Pages.SIZE];
    private final byte[] previousBytes = new byte[PER_LINE];
    private final byte[] previousMarks = new byte[PER_LINE];
    private boolean folded;
    private boolean readAny;

    private HexDump(GuestMemory memory, long first, long last, Appendable out) {
        this.memory = memory;
        this.first = first;
        this.last = last;
        this.out = out;
    }

    /**
     * Writes a hex dump, streaming: neither memory in use nor, for long holes and known zeros, time grows with the
     * length.
     *
     * @param memory where the bytes are
     * @param address guest-physical address of the first byte
     * @param length number of bytes, at least 0; cut at the end of the address space
     * @param out where the lines go, each with a line feed
     * @return whether any byte could be read
     * @throws IOException if {@code out} throws it
     */
    public static boolean write(GuestMemory memory, long address, long length, Appendable out) throws IOException {
        if (length < 0) {
            throw new IllegalArgumentException("length of a hex dump must not be negative, found " + length);
        }
        if (length == 0) {
            return true;
        }
        long last = address + (length - 1);
        HexDump dump = new HexDump(memory, address, Long.compareUnsigned(last, address) < 0 ? -1L : last, out);
        dump.write();
        return dump.readAny;
    }

    private void write() throws IOException {
        long page = first & ~Pages.OFFSET_MASK;
        while (true) {
            page = skipRepeated(page);
            load(page);
            for (int line = 0; line < Pages.SIZE; line += PER_LINE) {
                writeLine(page, line);
            }
            if (Pages.lastOfPage(page) == Pages.lastOfPage(last)) {
                break;
            }
            page += Pages.SIZE;
        }
        out.append(last == -1L ? END : hexAddress(last + 1)).append('\n');
    }

    /** Jumps over whole pages of which it is known that they go on as the folded lines before. */
    private long skipRepeated(long page) {
        if (!folded) {
            return page;
        }
        boolean lost = previousMarks[0] == LOST && isAll(previousMarks, LOST);
        boolean zero = isAll(previousMarks, READABLE) && isAll(previousBytes, (byte) 0);
        PageRun run = memory.runAt(page);
        boolean goesOn = lost && !run.state().isReadable() || zero && run.state() == PageState.ZERO;
        if (!goesOn) {
            return page;
        }
        // The page in which the run or the dump ends is looked at byte by byte.
        long target = Pages.lower(run.range().last(), last) & ~Pages.OFFSET_MASK;
        return Long.compareUnsigned(target, page) > 0 ? target : page;
    }

    private static boolean isAll(byte[] values, byte expected) {
        for (byte value : values) {
            if (value != expected) {
                return false;
            }
        }
        return true;
    }

    private void load(long page) {
        Arrays.fill(bytes, (byte) 0);
        Arrays.fill(marks, BLANK);
        int at = Long.compareUnsigned(first, page) > 0 ? (int) (first - page) : 0;
        int end = Pages.lastOfPage(page) == Pages.lastOfPage(last) ? (int) (last - page) + 1 : Pages.SIZE;
        MemorySegment target = MemorySegment.ofArray(bytes);
        while (at < end) {
            int copied = (int) memory.readAvailable(page + at, target.asSlice(at, end - at));
            Arrays.fill(marks, at, at + copied, READABLE);
            readAny |= copied > 0;
            at += copied;
            if (at < end) {
                PageRun run = memory.runAt(page + at);
                long runLast = run.state().isReadable() ? Pages.lastOfPage(page) : run.range().last();
                int lostEnd = (int) (Pages.lower(runLast, page + (end - 1)) - page) + 1;
                Arrays.fill(marks, at, lostEnd, LOST);
                Arrays.fill(bytes, at, lostEnd, (byte) 0);
                at = lostEnd;
            }
        }
    }

    private void writeLine(long page, int line) throws IOException {
        if (isBlank(line)) {
            return;
        }
        boolean repeats = Arrays.equals(bytes, line, line + PER_LINE, previousBytes, 0, PER_LINE)
                && Arrays.equals(marks, line, line + PER_LINE, previousMarks, 0, PER_LINE);
        if (repeats) {
            if (!folded) {
                out.append("*\n");
            }
            folded = true;
            return;
        }
        folded = false;
        System.arraycopy(bytes, line, previousBytes, 0, PER_LINE);
        System.arraycopy(marks, line, previousMarks, 0, PER_LINE);
        out.append(render(page + line, line)).append('\n');
    }

    private boolean isBlank(int line) {
        for (int i = line; i < line + PER_LINE; i++) {
            if (marks[i] != BLANK) {
                return false;
            }
        }
        return true;
    }

    private StringBuilder render(long address, int line) {
        StringBuilder text = new StringBuilder(hexAddress(address));
        for (int i = 0; i < PER_LINE; i++) {
            text.append(i % 8 == 0 ? "  " : " ");
            switch (marks[line + i]) {
                case READABLE -> text.append((char) HEX_DIGITS[bytes[line + i] >> 4 & 0xf])
                        .append((char) HEX_DIGITS[bytes[line + i] & 0xf]);
                case LOST -> text.append("??");
                default -> text.append("  ");
            }
        }
        text.append("  |");
        for (int i = 0; i < PER_LINE; i++) {
            text.append(switch (marks[line + i]) {
                case READABLE -> isPrintable(bytes[line + i]) ? (char) bytes[line + i] : '.';
                case LOST -> '?';
                default -> ' ';
            });
        }
        return text.append('|');
    }

    private static boolean isPrintable(byte value) {
        return value >= ' ' && value <= '~';
    }

    private static String hexAddress(long address) {
        return hexAddress(address, ADDRESS_DIGITS);
    }

    /** {@code 0x} and so many digits, or more where the address has more: as addresses are typed. */
    static String hexAddress(long address, int leastDigits) {
        String digits = Long.toHexString(address);
        return "0x" + "0".repeat(Math.max(0, leastDigits - digits.length())) + digits;
    }
}

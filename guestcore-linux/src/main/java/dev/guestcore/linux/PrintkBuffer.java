package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.LogRecord.State;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * The log of Linux 3.5 to 5.9 (kernel/printk/printk.c): records one behind the other in {@code log_buf}, from {@code
 * log_first_idx} to {@code log_next_idx}. A record is struct printk_log: time in nanoseconds (8 bytes), length of
 * the whole record, of its text, of its dictionary (2 bytes each), facility (1 byte), flags (5 bits) and level (3 bits),
 * since 5.1 optionally the caller (4 bytes); then the text, and the dictionary: {@code SUBSYSTEM=pci}, a zero,
 * {@code DEVICE=+pci:0000:00:1f.2}. A record of length 0 says that the next lies at the start of the buffer; so does
 * the end of the buffer.
 */
final class PrintkBuffer implements KernelLog.Reader {

    /** As {@code log_buf_len=} on the kernel's command line allows. */
    private static final long MOST_BYTES = 1L << 31;

    private static final int LEVEL_SHIFT = 5;
    private static final int CALLER_SIZE = 4;
    private static final long CPU_MARK = 0x8000_0000L;
    private static final int SMALLEST_HEADER = 16;
    private static final int LARGEST_HEADER = 64;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private record Layout(int headerSize, int time, int length, int textLength, int dictionaryLength) {

        /** Both lie behind the lengths. */
        int facility() {
            return dictionaryLength + Short.BYTES;
        }

        int level() {
            return facility() + 1;
        }

        Optional<Integer> caller() {
            int offset = level() + 1;
            return headerSize - offset >= CALLER_SIZE ? Optional.of(offset) : Optional.empty();
        }
    }

    private record Places(long buffer, long size, long first, long next, long firstSequence) {

        boolean arePlausible() {
            boolean sized = size >= SMALLEST_HEADER && size <= MOST_BYTES && buffer != 0;
            return sized && first >= 0 && first < size && next >= 0 && next <= size && firstSequence >= 0;
        }
    }

    private final GuestMemory memory;
    private final Layout layout;
    private final Places places;

    private PrintkBuffer(GuestMemory memory, Layout layout, Places places) {
        this.memory = memory;
        this.layout = layout;
        this.places = places;
    }

    /** The buffer that the kernel uses; empty if the kernel has none of this kind, or none that can be right. */
    static Optional<PrintkBuffer> find(StructureFacts known, GuestMemory memory) {
        try {
            long header = known.size("printk_log").orElseThrow();
            Layout layout = new Layout(
                    bounded(header, LARGEST_HEADER),
                    offset(known, header, "ts_nsec", Long.BYTES),
                    offset(known, header, "len", Short.BYTES),
                    offset(known, header, "text_len", Short.BYTES),
                    offset(known, header, "dict_len", 2 * Short.BYTES));
            OptionalLong sequence = known.symbol("log_first_seq");
            Places places = new Places(
                    memory.readLong(known.symbol("log_buf").orElseThrow()),
                    memory.readInt(known.symbol("log_buf_len").orElseThrow()) & 0xffff_ffffL,
                    memory.readInt(known.symbol("log_first_idx").orElseThrow()) & 0xffff_ffffL,
                    memory.readInt(known.symbol("log_next_idx").orElseThrow()) & 0xffff_ffffL,
                    sequence.isPresent() ? memory.readLong(sequence.getAsLong()) : 0);
            return layout.headerSize >= SMALLEST_HEADER && places.arePlausible()
                    ? Optional.of(new PrintkBuffer(memory, layout, places))
                    : Optional.empty();
        } catch (MemoryAccessException | NoSuchElementException e) {
            return Optional.empty();
        }
    }

    private static int offset(StructureFacts known, long header, String member, int size) {
        return bounded(known.offset("printk_log." + member).orElseThrow(), header - size);
    }

    private static int bounded(long value, long most) {
        if (value < 0 || value > most) {
            throw new NoSuchElementException();
        }
        return (int) value;
    }

    @Override
    public Stream<LogEntry> entries() {
        return StreamSupport.stream(
                Spliterators.spliteratorUnknownSize(new Entries(), Spliterator.ORDERED | Spliterator.NONNULL), false);
    }

    /** Goes from the first record to the last; goes over the end of the buffer once at most. */
    private final class Entries implements Iterator<LogEntry> {

        private long at = places.first;
        private long sequence = places.firstSequence;
        private boolean wrapped = places.first < places.next;
        private boolean ended;
        private boolean begun;
        private @Nullable LogEntry next;

        @Override
        public boolean hasNext() {
            if (next == null && !ended) {
                next = advance();
                ended |= next == null;
            }
            return next != null;
        }

        @Override
        public LogEntry next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            LogEntry entry = Objects.requireNonNull(next);
            next = null;
            return entry;
        }

        private @Nullable LogEntry advance() {
            if (!begun && sequence > 0) {
                begun = true;
                return new LogGap(sequence, "overwritten by later ones", false);
            }
            begun = true;
            while (at != places.next || !wrapped) {
                MemorySegment header = header();
                int length = header.byteSize() < layout.headerSize ? -1 : header.get(SHORT, layout.length) & 0xffff;
                boolean wraps = length == 0 || places.size - at < layout.headerSize;
                if (wraps && !wrapped) {
                    wrapped = true;
                    at = 0;
                } else if (length < layout.headerSize || length > limit() - at) {
                    ended = true;
                    return new LogGap(1, "or more cannot be read: what follows is no record", true);
                } else {
                    LogRecord record = record(header, length);
                    at += length;
                    sequence++;
                    return record;
                }
            }
            return null;
        }

        private long limit() {
            return wrapped ? places.next : places.size;
        }

        /** What can be read of a record's header. */
        private MemorySegment header() {
            int size = (int) Math.min(layout.headerSize, places.size - at);
            MemorySegment bytes = MemorySegment.ofArray(new byte[layout.headerSize]);
            return bytes.asSlice(0, memory.readAvailable(places.buffer + at, bytes.asSlice(0, size)));
        }

        private LogRecord record(MemorySegment header, int length) {
            int room = length - layout.headerSize;
            int textLength = header.get(SHORT, layout.textLength) & 0xffff;
            int dictionaryLength = header.get(SHORT, layout.dictionaryLength) & 0xffff;
            byte[] bytes = new byte[room];
            long read = memory.readAvailable(places.buffer + at + layout.headerSize, MemorySegment.ofArray(bytes));
            int text = (int) Math.min(read, Math.min(textLength, room));
            int dictionary = (int) Math.min(read - text, Math.min(dictionaryLength, room - text));
            return new LogRecord(
                    sequence,
                    header.get(LONG, layout.time),
                    header.get(ValueLayout.JAVA_BYTE, layout.facility()) & 0xff,
                    (header.get(ValueLayout.JAVA_BYTE, layout.level()) & 0xff) >>> LEVEL_SHIFT,
                    layout.caller().map(offset -> caller(header.get(INT, offset) & 0xffff_ffffL)),
                    device(new String(bytes, text, dictionary, StandardCharsets.UTF_8)),
                    new String(bytes, 0, text, StandardCharsets.UTF_8),
                    text == textLength ? State.COMPLETE : State.TEXT_MISSING);
        }
    }

    private static String caller(long id) {
        return (id & CPU_MARK) != 0 ? "C" + (id & CPU_MARK - 1) : "T" + id;
    }

    private static Optional<String> device(String dictionary) {
        String subsystem = "";
        String device = "";
        for (String pair : dictionary.split("\0")) {
            if (pair.startsWith("SUBSYSTEM=")) {
                subsystem = pair.substring("SUBSYSTEM=".length());
            } else if (pair.startsWith("DEVICE=")) {
                device = pair.substring("DEVICE=".length());
            }
        }
        return subsystem.isEmpty() && device.isEmpty()
                ? Optional.empty()
                : Optional.of((subsystem + " " + device).strip());
    }
}

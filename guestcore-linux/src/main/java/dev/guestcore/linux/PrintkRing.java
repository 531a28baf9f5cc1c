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
 * The log of Linux 5.10 and later (kernel/printk/printk_ringbuffer.h and .c): a ring of descriptors, a ring of as many
 * facts, and a ring of texts. A record is named by an id of 62 bits that counts up; id modulo the number of descriptors
 * is its place in both rings. The upper two bits of the word that holds a descriptor's id say its state: 0 reserved, 1
 * committed, 2 finalized, 3 free, as the first descriptor is until the ring has gone around. A text begins with the id of its record, 8 bytes. Its place is a position that counts
 * up too, modulo the size of the ring; a text that would go over the end lies at the start instead; bit 0 marks a
 * record without text. Of the facts, facility, flags (5 bits) and level (3 bits) lie behind the length of the text,
 * a byte, five bits and three.
 */
final class PrintkRing implements KernelLog.Reader {

    private static final long ID_MASK = (1L << 62) - 1;
    private static final int STATE_SHIFT = 62;
    private static final int COMMITTED = 1;
    private static final int FINALIZED = 2;
    private static final int FREE = 3;
    private static final int ID_SIZE = 8;
    private static final int LEVEL_SHIFT = 5;
    private static final long CPU_MARK = 0x8000_0000L;

    /** LOG_BUF_SHIFT is 12 to 25; log_buf_len= on the kernel's command line goes to 2 GiB, with a descriptor for 32 bytes. */
    private static final int MOST_TEXT_BITS = 31;

    private static final int MOST_COUNT_BITS = 26;

    /** Behind so many descriptors in a row that are not what they should be, nobody looks on. */
    private static final int PATIENCE = 1 << 16;

    private static final int LONGEST_SUBSYSTEM = 16;
    private static final int LONGEST_DEVICE = 48;
    private static final int LONGEST_FACTS = 1 << 12;

    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Where things lie in a structure, in bytes. */
    private record Layout(
            int descriptorSize,
            int state,
            int begin,
            int next,
            int factsSize,
            int sequence,
            int time,
            int textLength,
            int caller,
            OptionalLong subsystem,
            OptionalLong device) {}

    private final GuestMemory memory;
    private final Layout layout;
    private final int countBits;
    private final long descriptors;
    private final long facts;
    private final long head;
    private final long tail;
    private final int textBits;
    private final long texts;

    private PrintkRing(GuestMemory memory, Layout layout, Places places) {
        this.memory = memory;
        this.layout = layout;
        this.countBits = places.countBits;
        this.descriptors = places.descriptors;
        this.facts = places.facts;
        this.head = places.head;
        this.tail = places.tail;
        this.textBits = places.textBits;
        this.texts = places.texts;
    }

    private record Places(
            int countBits, long descriptors, long facts, long head, long tail, int textBits, long texts) {

        boolean arePlausible() {
            boolean counts =
                    countBits > 0 && countBits <= MOST_COUNT_BITS && textBits > 0 && textBits <= MOST_TEXT_BITS;
            return counts && descriptors != 0 && facts != 0 && texts != 0 && (head - tail & ID_MASK) < 1L << countBits;
        }
    }

    /** The ring that the kernel uses; empty if the kernel has none of this kind, or none that can be right. */
    static Optional<PrintkRing> find(StructureFacts known, GuestMemory memory) {
        OptionalLong pointer = known.symbol("prb");
        if (pointer.isEmpty()) {
            return Optional.empty();
        }
        try {
            Layout layout = layout(known);
            long ring = memory.readLong(pointer.getAsLong());
            long descriptors = ring + offset(known, "printk_ringbuffer.desc_ring");
            long text = ring + offset(known, "printk_ringbuffer.text_data_ring");
            Places places = new Places(
                    memory.readInt(descriptors + offset(known, "prb_desc_ring.count_bits")),
                    memory.readLong(descriptors + offset(known, "prb_desc_ring.descs")),
                    memory.readLong(descriptors + offset(known, "prb_desc_ring.infos")),
                    memory.readLong(descriptors + offset(known, "prb_desc_ring.head_id")) & ID_MASK,
                    memory.readLong(descriptors + offset(known, "prb_desc_ring.tail_id")) & ID_MASK,
                    memory.readInt(text + offset(known, "prb_data_ring.size_bits")),
                    memory.readLong(text + offset(known, "prb_data_ring.data")));
            return places.arePlausible() ? Optional.of(new PrintkRing(memory, layout, places)) : Optional.empty();
        } catch (MemoryAccessException | NoSuchElementException e) {
            return Optional.empty();
        }
    }

    private static Layout layout(StructureFacts known) {
        int place = offset(known, "prb_desc.text_blk_lpos");
        int device = offset(known, "printk_info.dev_info");
        return new Layout(
                size(known, "prb_desc"),
                offset(known, "prb_desc.state_var"),
                place + offset(known, "prb_data_blk_lpos.begin"),
                place + offset(known, "prb_data_blk_lpos.next"),
                size(known, "printk_info"),
                offset(known, "printk_info.seq"),
                offset(known, "printk_info.ts_nsec"),
                offset(known, "printk_info.text_len"),
                offset(known, "printk_info.caller_id"),
                within(device, known.offset("dev_printk_info.subsystem")),
                within(device, known.offset("dev_printk_info.device")));
    }

    private static OptionalLong within(int structure, OptionalLong member) {
        return member.isPresent() ? OptionalLong.of(structure + member.getAsLong()) : member;
    }

    private static int offset(StructureFacts known, String member) {
        return bounded(known.offset(member));
    }

    private static int size(StructureFacts known, String structure) {
        int size = bounded(known.size(structure));
        if (size < ID_SIZE) {
            throw new NoSuchElementException();
        }
        return size;
    }

    private static int bounded(OptionalLong value) {
        long known = value.orElseThrow();
        if (known < 0 || known > LONGEST_FACTS) {
            throw new NoSuchElementException();
        }
        return (int) known;
    }

    @Override
    public Stream<LogEntry> entries() {
        return StreamSupport.stream(
                Spliterators.spliteratorUnknownSize(new Entries(), Spliterator.ORDERED | Spliterator.NONNULL), false);
    }

    /** Goes from the tail to the head; neighbours that are broken are told as one gap. */
    private final class Entries implements Iterator<LogEntry> {

        private final long count = (head - tail & ID_MASK) + 1;
        private long done;
        private boolean started;
        private long broken;
        private boolean damaged;
        private @Nullable LogRecord waiting;
        private @Nullable LogEntry next;

        @Override
        public boolean hasNext() {
            if (next == null) {
                next = advance();
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
            if (waiting != null) {
                LogRecord record = waiting;
                waiting = null;
                return record;
            }
            while (done < count) {
                if (broken == PATIENCE) {
                    long missing = broken + count - done;
                    done = count;
                    broken = 0;
                    return new LogGap(missing, "cannot be read; Guestcore looked at the first " + PATIENCE + " of them",
                            true);
                }
                long id = tail + done & ID_MASK;
                done++;
                MemorySegment descriptor = descriptor(id);
                if (descriptor.byteSize() > 0
                        && descriptor.get(LONG, layout.state) == ((long) FREE << STATE_SHIFT | id)) {
                    continue;
                }
                Optional<LogRecord> record = record(id, descriptor);
                if (record.isPresent()) {
                    return withGap(record.get());
                }
                broken++;
                damaged |= !isReserved(id, descriptor);
            }
            return broken > 0 ? gap() : null;
        }

        private LogEntry withGap(LogRecord record) {
            long overwritten = started ? 0 : record.sequence() - broken;
            started = true;
            if (overwritten > 0) {
                broken = 0;
                waiting = record;
                return new LogGap(overwritten, "overwritten by later ones", false);
            }
            if (broken > 0) {
                waiting = record;
                return gap();
            }
            return record;
        }

        private LogGap gap() {
            LogGap gap = damaged
                    ? new LogGap(broken, "cannot be read, or were being written", true)
                    : new LogGap(broken, "were being written", false);
            broken = 0;
            damaged = false;
            return gap;
        }
    }

    /** Whether a writer has been given this descriptor, and has not said yet that the record may be read. */
    private boolean isReserved(long id, MemorySegment descriptor) {
        return descriptor.byteSize() > 0 && descriptor.get(LONG, layout.state) == id;
    }

    private long place(long id) {
        return id & (1L << countBits) - 1;
    }

    /** The descriptor of this id; empty if it cannot be read. */
    private MemorySegment descriptor(long id) {
        MemorySegment bytes = read(descriptors + place(id) * layout.descriptorSize, layout.descriptorSize);
        return bytes.byteSize() < layout.descriptorSize ? bytes.asSlice(0, 0) : bytes;
    }

    /** The record of this id; empty if it is not, or not yet, what the descriptor should be. */
    private Optional<LogRecord> record(long id, MemorySegment descriptor) {
        if (descriptor.byteSize() == 0) {
            return Optional.empty();
        }
        long word = descriptor.get(LONG, layout.state);
        int state = (int) (word >>> STATE_SHIFT);
        MemorySegment info = read(facts + place(id) * layout.factsSize, layout.factsSize);
        if ((word & ID_MASK) != id || state != COMMITTED && state != FINALIZED || info.byteSize() < layout.factsSize) {
            return Optional.empty();
        }
        Text text = text(id, descriptor.get(LONG, layout.begin), descriptor.get(LONG, layout.next), info);
        int bits = info.get(ValueLayout.JAVA_BYTE, layout.textLength + 3) & 0xff;
        return Optional.of(new LogRecord(
                info.get(LONG, layout.sequence),
                info.get(LONG, layout.time),
                info.get(ValueLayout.JAVA_BYTE, layout.textLength + 2) & 0xff,
                bits >>> LEVEL_SHIFT,
                Optional.of(caller(info.get(INT, layout.caller) & 0xffff_ffffL)),
                device(info),
                text.text,
                text.whole ? state == FINALIZED ? State.COMPLETE : State.UNFINISHED : State.TEXT_MISSING));
    }

    /** What can be read of so many bytes. */
    private MemorySegment read(long address, int size) {
        MemorySegment bytes = MemorySegment.ofArray(new byte[size]);
        return bytes.asSlice(0, memory.readAvailable(address, bytes));
    }

    private static String caller(long id) {
        return (id & CPU_MARK) != 0 ? "C" + (id & CPU_MARK - 1) : "T" + id;
    }

    private record Text(String text, boolean whole) {}

    private Text text(long id, long begin, long next, MemorySegment info) {
        int length = info.get(SHORT, layout.textLength) & 0xffff;
        if ((begin & 1) != 0) {
            return new Text("", length == 0);
        }
        long size = 1L << textBits;
        boolean wrapped = begin >>> textBits != next - 1 >>> textBits;
        long block = wrapped ? 0 : begin & size - 1;
        long blockSize = wrapped ? next & size - 1 : next - begin;
        if (blockSize < ID_SIZE || blockSize > size - block) {
            return new Text("", false);
        }
        MemorySegment mark = read(texts + block, ID_SIZE);
        if (mark.byteSize() < ID_SIZE || mark.get(LONG, 0) != id) {
            return new Text("", false);
        }
        int wanted = (int) Math.min(length, blockSize - ID_SIZE);
        MemorySegment bytes = read(texts + block + ID_SIZE, wanted);
        String text = new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
        return new Text(text, bytes.byteSize() == length);
    }

    private Optional<String> device(MemorySegment info) {
        String subsystem = chars(info, layout.subsystem, LONGEST_SUBSYSTEM);
        String device = chars(info, layout.device, LONGEST_DEVICE);
        return subsystem.isEmpty() && device.isEmpty()
                ? Optional.empty()
                : Optional.of((subsystem + " " + device).strip());
    }

    private static String chars(MemorySegment info, OptionalLong offset, int most) {
        if (offset.isEmpty() || offset.getAsLong() > info.byteSize() - most) {
            return "";
        }
        byte[] bytes = info.asSlice(offset.getAsLong(), most).toArray(ValueLayout.JAVA_BYTE);
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }
}

package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.linux.LogRecord.State;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Logs of both kinds, made by hand as the kernel makes them, whole and damaged. */
class KernelLogTest {

    private static final long FINALIZED = 2L << 62;
    private static final long COMMITTED = 1L << 62;

    private static final int RING = 0x100;
    private static final int DESCRIPTORS = 0x1000;
    private static final int FACTS = 0x2000;
    private static final int TEXTS = 0x4000;
    private static final int COUNT_BITS = 3;
    private static final int TEXT_BITS = 8;

    private static final String RING_INFO = """
            SYMBOL(prb)=10
            OFFSET(printk_ringbuffer.desc_ring)=0
            OFFSET(printk_ringbuffer.text_data_ring)=48
            OFFSET(prb_desc_ring.count_bits)=0
            OFFSET(prb_desc_ring.descs)=8
            OFFSET(prb_desc_ring.infos)=16
            OFFSET(prb_desc_ring.head_id)=24
            OFFSET(prb_desc_ring.tail_id)=32
            SIZE(prb_desc)=24
            OFFSET(prb_desc.state_var)=0
            OFFSET(prb_desc.text_blk_lpos)=8
            OFFSET(prb_data_blk_lpos.begin)=0
            OFFSET(prb_data_blk_lpos.next)=8
            SIZE(printk_info)=88
            OFFSET(printk_info.seq)=0
            OFFSET(printk_info.ts_nsec)=8
            OFFSET(printk_info.text_len)=16
            OFFSET(printk_info.caller_id)=20
            OFFSET(printk_info.dev_info)=24
            OFFSET(dev_printk_info.subsystem)=0
            OFFSET(dev_printk_info.device)=16
            OFFSET(prb_data_ring.size_bits)=0
            OFFSET(prb_data_ring.data)=8
            """;

    private static final String BUFFER_INFO = """
            SYMBOL(log_buf)=10
            SYMBOL(log_buf_len)=18
            SYMBOL(log_first_idx)=20
            SYMBOL(log_next_idx)=28
            SIZE(printk_log)=16
            OFFSET(printk_log.ts_nsec)=0
            OFFSET(printk_log.len)=8
            OFFSET(printk_log.text_len)=10
            OFFSET(printk_log.dict_len)=12
            """;

    private final ByteBuffer memory = ByteBuffer.allocate(0x8000).order(ByteOrder.LITTLE_ENDIAN);
    private long tail = 1L << 61;
    private long head = tail - 1;
    private long position;

    private void ring() {
        memory.putLong(0x10, RING);
        memory.putInt(RING, COUNT_BITS).putLong(RING + 8, DESCRIPTORS).putLong(RING + 16, FACTS);
        memory.putLong(RING + 24, head).putLong(RING + 32, tail);
        memory.putInt(RING + 48, TEXT_BITS).putLong(RING + 56, TEXTS);
    }

    /** As prb_reserve and prb_commit do it; gives where the descriptor lies. */
    private int add(long sequence, int level, int facility, long caller, String text, long state) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        head++;
        int place = (int) head & (1 << COUNT_BITS) - 1;
        int descriptor = DESCRIPTORS + 24 * place;
        memory.putLong(descriptor, state | head);
        int size = bytes.length + 8 + 7 & ~7;
        long begin = position;
        long next = begin + size;
        int block = (int) begin & (1 << TEXT_BITS) - 1;
        if (begin >>> TEXT_BITS != next - 1 >>> TEXT_BITS) {
            next = (next >>> TEXT_BITS << TEXT_BITS) + size;
            block = 0;
        }
        position = next;
        memory.putLong(descriptor + 8, begin).putLong(descriptor + 16, next);
        memory.putLong(TEXTS + block, head).put(TEXTS + block + 8, bytes);
        int facts = FACTS + 88 * place;
        memory.putLong(facts, sequence).putLong(facts + 8, sequence * 1000).putShort(facts + 16, (short) bytes.length);
        memory.put(facts + 18, (byte) facility).put(facts + 19, (byte) (level << 5 | 0x1f));
        memory.putInt(facts + 20, (int) caller);
        return descriptor;
    }

    private int add(long sequence, String text) {
        return add(sequence, 6, 0, 1, text, FINALIZED);
    }

    private List<LogEntry> read(String info) {
        StructureFacts facts = StructureFacts.of(VmcoreInfoFields.parse(info));
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(memory.array())).build()) {
            return KernelLog.of(facts, guest.memory(), Optional.empty()).orElseThrow().stream().toList();
        }
    }

    private boolean isFound(String info) {
        StructureFacts facts = StructureFacts.of(VmcoreInfoFields.parse(info));
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(memory.array())).build()) {
            return KernelLog.of(facts, guest.memory(), Optional.empty()).isPresent();
        }
    }

    private static LogRecord plain(long sequence, String text) {
        return new LogRecord(
                sequence, sequence * 1000, 0, 6, Optional.of("T1"), Optional.empty(), text, State.COMPLETE);
    }

    @Test
    void recordsComeWithAllTheirFacts() {
        int descriptor = add(0, 3, 1, 0x8000_0002L, "two\nlines, and Ünïcode", FINALIZED);
        int facts = FACTS + (descriptor - DESCRIPTORS) / 24 * 88;
        memory.put(facts + 24, "pci".getBytes(StandardCharsets.US_ASCII));
        memory.put(facts + 40, "+pci:0000:00:01.0".getBytes(StandardCharsets.US_ASCII));
        add(1, 5, 0, 77, "may go on", COMMITTED);
        ring();
        List<LogEntry> entries = read(RING_INFO);
        assertEquals(2, entries.size());
        LogRecord first = (LogRecord) entries.getFirst();
        assertEquals(
                new LogRecord(
                        0,
                        0,
                        1,
                        3,
                        Optional.of("C2"),
                        Optional.of("pci +pci:0000:00:01.0"),
                        "two\nlines, and Ünïcode",
                        State.COMPLETE),
                first);
        assertEquals(List.of("two", "lines, and Ünïcode"), first.lines());
        assertEquals("err", first.levelName());
        assertEquals("user", first.facilityName());
        LogRecord second = (LogRecord) entries.getLast();
        assertEquals(Optional.of("T77"), second.caller());
        assertEquals(State.UNFINISHED, second.state());
    }

    @Test
    void bothRingsGoOverTheirEnds() {
        for (int i = 0; i < 6; i++) {
            add(i, "x".repeat(40));
        }
        tail = head - 3;
        add(6, "the last");
        ring();
        assertEquals(
                List.of(
                        new LogGap(2, "overwritten by later ones", false),
                        plain(2, "x".repeat(40)),
                        plain(3, "x".repeat(40)),
                        plain(4, "x".repeat(40)),
                        plain(5, "x".repeat(40)),
                        plain(6, "the last")),
                read(RING_INFO));
    }

    @Test
    void whatIsBrokenIsTold() {
        add(0, "good");
        memory.putLong(add(1, "of another id"), FINALIZED | 12345);
        add(2, 6, 0, 1, "being written", 0);
        int descriptor = add(3, "overwritten text");
        memory.putLong(descriptor + 8, memory.getLong(descriptor + 8) + 1024 + 8);
        memory.putLong(descriptor + 16, memory.getLong(descriptor + 16) + 1024 + 8);
        ring();
        List<LogEntry> entries = read(RING_INFO);
        assertEquals(
                List.of(plain(0, "good"), new LogGap(2, "cannot be read, or were being written", true)),
                entries.subList(0, 2));
        assertEquals(State.TEXT_MISSING, ((LogRecord) entries.get(2)).state());
        assertEquals(3, entries.size());
    }

    @Test
    void whatIsBeingWrittenIsNoDamage() {
        add(0, "good");
        add(1, 6, 0, 1, "being written", 0);
        ring();
        assertEquals(List.of(plain(0, "good"), new LogGap(1, "were being written", false)), read(RING_INFO));
    }

    @Test
    void theFirstDescriptorIsNoRecord() {
        add(0, 6, 0, 1, "", 3L << 62);
        tail = head;
        add(0, "the first");
        ring();
        assertEquals(List.of(plain(0, "the first")), read(RING_INFO));
    }

    @Test
    void aRecordWithoutTextHasNone() {
        int descriptor = add(0, "");
        memory.putLong(descriptor + 8, 3).putLong(descriptor + 16, 3);
        ring();
        assertEquals(List.of(plain(0, "")), read(RING_INFO));
    }

    @Test
    void lengthsThatCannotBeAreNotBelieved() {
        int descriptor = add(0, "text");
        int facts = FACTS + (descriptor - DESCRIPTORS) / 24 * 88;
        memory.putShort(facts + 16, (short) -1);
        ring();
        LogRecord record = (LogRecord) read(RING_INFO).getFirst();
        assertEquals(State.TEXT_MISSING, record.state());
        assertTrue(record.text().startsWith("text"));
        memory.putLong(descriptor + 16, Long.MIN_VALUE + 5);
        assertEquals(State.TEXT_MISSING, ((LogRecord) read(RING_INFO).getFirst()).state());
    }

    @Test
    void ringsThatCannotBeAreNoLog() {
        add(0, "text");
        ring();
        memory.putInt(RING, 60);
        assertFalse(isFound(RING_INFO));
        ring();
        memory.putLong(RING + 24, head + 100);
        assertFalse(isFound(RING_INFO));
        ring();
        memory.putLong(0x10, 0x7fff_ffff_0000L);
        assertFalse(isFound(RING_INFO));
        ring();
        assertFalse(isFound(RING_INFO.replace("SIZE(prb_desc)=24", "SIZE(prb_desc)=0")));
        assertTrue(isFound(RING_INFO));
    }

    @Test
    void aLargeRingWithoutMemoryEnds() {
        ring();
        memory.putInt(RING, 26).putLong(RING + 8, 0x10_0000_0000L).putLong(RING + 24, tail + (1 << 26) - 1);
        assertEquals(
                List.of(new LogGap(1L << 26, "cannot be read; Guestcore looked at the first 65536 of them", true)),
                read(RING_INFO));
    }

    private void buffer(int size, int first, int next) {
        memory.putLong(0x10, TEXTS).putInt(0x18, size).putInt(0x20, first).putInt(0x28, next);
    }

    private int old(int at, int number, String text, String dictionary) {
        byte[] bytes = (text + dictionary).getBytes(StandardCharsets.UTF_8);
        int length = 16 + bytes.length + 3 & ~3;
        memory.putLong(TEXTS + at, number * 1000L).putShort(TEXTS + at + 8, (short) length);
        memory.putShort(TEXTS + at + 10, (short) text.length()).putShort(TEXTS + at + 12, (short) dictionary.length());
        memory.put(TEXTS + at + 14, (byte) 0).put(TEXTS + at + 15, (byte) (6 << 5));
        memory.put(TEXTS + at + 16, bytes);
        return at + length;
    }

    private static LogRecord oldRecord(long sequence, int number, String text, Optional<String> device) {
        return new LogRecord(sequence, number * 1000L, 0, 6, Optional.empty(), device, text, State.COMPLETE);
    }

    @Test
    void theOldBufferGoesOverItsEnd() {
        int first = 200;
        int end = old(first, 0, "before the end", "SUBSYSTEM=pci\0DEVICE=+pci:1");
        int next = old(old(0, 1, "behind it", ""), 2, "the last", "");
        memory.putShort(TEXTS + end + 8, (short) 0);
        buffer(256 + 32, first, next);
        assertEquals(
                List.of(
                        oldRecord(0, 0, "before the end", Optional.of("pci +pci:1")),
                        oldRecord(1, 1, "behind it", Optional.empty()),
                        oldRecord(2, 2, "the last", Optional.empty())),
                read(BUFFER_INFO));
    }

    @Test
    void theOldBufferMayEndWhereNoRecordFits() {
        int first = 200;
        int end = old(first, 0, "before the end", "");
        int next = old(0, 1, "behind it", "");
        buffer(end, first, next);
        assertEquals(2, read(BUFFER_INFO).size());
    }

    @Test
    void theOldBufferTellsWhatWasOverwrittenAndWhatIsBroken() {
        int middle = old(0, 0, "good", "");
        int next = old(middle, 1, "longer than it may be", "");
        memory.putShort(TEXTS + middle + 8, (short) 4000);
        memory.putLong(0x30, 7);
        buffer(256, 0, next);
        assertEquals(
                List.of(
                        new LogGap(7, "overwritten by later ones", false),
                        oldRecord(7, 0, "good", Optional.empty()),
                        new LogGap(1, "or more cannot be read: what follows is no record", true)),
                read(BUFFER_INFO + "SYMBOL(log_first_seq)=30\n"));
        buffer(256, 0, 0);
        memory.putShort(TEXTS + 8, (short) 0);
        assertEquals(List.of(new LogGap(7, "overwritten by later ones", false)),
                read(BUFFER_INFO + "SYMBOL(log_first_seq)=30\n"));
    }
}

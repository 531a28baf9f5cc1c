package dev.guestcore.kernel;

import dev.guestcore.GuestMemory;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.facts.VmcoreInfoFields;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Whether a Linux kernel had panicked: VMCOREINFO gets CRASHTIME when a crash kernel is started (kernel/crash_core.c), and the
 * log has "Kernel panic - not syncing" (kernel/panic.c). Where the log's text lies stands in VMCOREINFO too: behind
 * {@code log_buf} before Linux 5.10, in the text ring of {@code prb} since (kernel/printk/printk.c, printk_ringbuffer.h).
 */
final class KernelPanic {

    /** Larger logs are looked at in part. */
    private static final int MOST_LOG = 4 << 20;

    private static final Pattern LINE = Pattern.compile("Kernel panic - not syncing[ -~]{0,200}");
    private static final ValueLayout.OfLong LITTLE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt LITTLE_INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort LITTLE_SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private KernelPanic() {}

    /** What is known; reads at most the kernel's log. */
    static Optional<Derived<String>> find(VmcoreInfoFields fields, Optional<AddressSpace> space) {
        Optional<String> line = space.flatMap(seen -> log(seen.memory(), fields)).flatMap(KernelPanic::panicLine);
        Optional<String> crashed = crashTime(fields);
        if (crashed.isPresent()) {
            return Optional.of(new Derived<>(
                    line.orElseGet(() -> "crashed at " + crashed.get()),
                    "CRASHTIME of VMCOREINFO" + (line.isPresent() ? ", and the kernel's log" : ""),
                    Derived.Confidence.CERTAIN));
        }
        return line.map(text -> new Derived<>(text, "the kernel's log", Derived.Confidence.LIKELY));
    }

    private static Optional<String> crashTime(VmcoreInfoFields fields) {
        try {
            return fields.value("CRASHTIME")
                    .map(text -> Long.parseLong(text.strip()))
                    .filter(seconds -> seconds > 0)
                    .map(seconds -> Instant.ofEpochSecond(seconds).toString());
        } catch (NumberFormatException | DateTimeException e) {
            return Optional.empty();
        }
    }

    private static Optional<String> panicLine(Log log) {
        Matcher matcher = LINE.matcher(new String(log.bytes, StandardCharsets.ISO_8859_1));
        if (!matcher.find()) {
            return Optional.empty();
        }
        // Behind a record may stand what an older one left, or the head of the next.
        int printable = matcher.group().length();
        int length = log.lengths.at(matcher.start()).filter(size -> size > 0 && size < printable).orElse(printable);
        return Optional.of(matcher.group().substring(0, length));
    }

    /** Text of the log, as it lies in memory. */
    private record Log(byte[] bytes, Lengths lengths) {}

    /** Knows the lengths of records. */
    @FunctionalInterface
    private interface Lengths {

        /** Of the record whose text begins there in the log; empty if that is not known. */
        Optional<Integer> at(int start);
    }

    private static Optional<Log> log(GuestMemory memory, VmcoreInfoFields fields) {
        OptionalLong ring = fields.symbol("prb");
        OptionalLong ringText = fields.offset("printk_ringbuffer.text_data_ring");
        OptionalLong sizeBits = fields.offset("prb_data_ring.size_bits");
        OptionalLong data = fields.offset("prb_data_ring.data");
        if (ring.isPresent() && ringText.isPresent() && sizeBits.isPresent() && data.isPresent()) {
            Optional<Long> place = word(memory, ring.getAsLong());
            Optional<Long> text = place.map(at -> at + ringText.getAsLong());
            Optional<Integer> bits = text.flatMap(at -> number(memory, at + sizeBits.getAsLong()));
            Optional<Long> start = text.flatMap(at -> word(memory, at + data.getAsLong()));
            return bits.filter(log -> log > 0 && log < Integer.SIZE - 1).flatMap(log -> start.map(at -> {
                byte[] bytes = bytes(memory, at, 1 << log);
                long wholeRing = place.orElseThrow();
                return new Log(bytes, from -> lengthInRing(memory, fields, wholeRing, bytes, from, 1L << log));
            }));
        }
        OptionalLong buffer = fields.symbol("log_buf");
        OptionalLong length = fields.symbol("log_buf_len");
        if (buffer.isPresent() && length.isPresent()) {
            Optional<Integer> size = number(memory, length.getAsLong()).filter(bytes -> bytes > 0);
            return word(memory, buffer.getAsLong()).flatMap(at -> size.map(count -> {
                byte[] bytes = bytes(memory, at, count);
                return new Log(bytes, from -> lengthInBuffer(fields, bytes, from));
            }));
        }
        return Optional.empty();
    }

    /** Before a text stands the number of its descriptor, which is asked only if it says that its text is this. */
    private static Optional<Integer> lengthInRing(
            GuestMemory memory, VmcoreInfoFields fields, long ring, byte[] text, int start, long size) {
        OptionalLong descriptorRing = fields.offset("printk_ringbuffer.desc_ring");
        if (start < Long.BYTES || descriptorRing.isEmpty()) {
            return Optional.empty();
        }
        int block = start - Long.BYTES;
        long number = MemorySegment.ofArray(text).get(LITTLE_LONG, block);
        long table = ring + descriptorRing.getAsLong();
        Optional<Integer> bits = member(fields, table, "prb_desc_ring.count_bits").flatMap(at -> number(memory, at));
        if (bits.isEmpty() || bits.get() <= 0 || bits.get() >= Integer.SIZE - 1) {
            return Optional.empty();
        }
        long index = number & (1L << bits.get()) - 1;
        Optional<Long> begin = element(memory, fields, table, "prb_desc_ring.descs", "prb_desc", index)
                .flatMap(at -> member(fields, at, "prb_desc.text_blk_lpos"))
                .flatMap(at -> member(fields, at, "prb_data_blk_lpos.begin"))
                .flatMap(at -> word(memory, at))
                .filter(position -> (position & size - 1) == block);
        return begin.flatMap(_ -> element(memory, fields, table, "prb_desc_ring.infos", "printk_info", index))
                .flatMap(at -> member(fields, at, "printk_info.text_len"))
                .flatMap(at -> number(memory, at))
                .map(length -> length & 0xffff);
    }

    private static Optional<Integer> lengthInBuffer(VmcoreInfoFields fields, byte[] log, int start) {
        OptionalLong head = fields.size("printk_log");
        OptionalLong length = fields.offset("printk_log.text_len");
        if (head.isEmpty() || length.isEmpty()) {
            return Optional.empty();
        }
        long place = start - head.getAsLong() + length.getAsLong();
        return place < 0 || place > start - Short.BYTES
                ? Optional.empty()
                : Optional.of(MemorySegment.ofArray(log).get(LITTLE_SHORT, place) & 0xffff);
    }

    private static Optional<Long> member(VmcoreInfoFields fields, long structure, String member) {
        OptionalLong offset = fields.offset(member);
        return offset.isPresent() ? Optional.of(structure + offset.getAsLong()) : Optional.empty();
    }

    /** Where an element of an array lies that a member points to. */
    private static Optional<Long> element(
            GuestMemory memory, VmcoreInfoFields fields, long structure, String member, String type, long index) {
        OptionalLong size = fields.size(type);
        return size.isEmpty()
                ? Optional.empty()
                : member(fields, structure, member)
                        .flatMap(at -> word(memory, at))
                        .map(array -> array + index * size.getAsLong());
    }

    private static Optional<Long> word(GuestMemory memory, long address) {
        MemorySegment word = MemorySegment.ofArray(new byte[Long.BYTES]);
        return memory.readAvailable(address, word) == Long.BYTES
                ? Optional.of(word.get(LITTLE_LONG, 0))
                : Optional.empty();
    }

    private static Optional<Integer> number(GuestMemory memory, long address) {
        MemorySegment number = MemorySegment.ofArray(new byte[Integer.BYTES]);
        return memory.readAvailable(address, number) == Integer.BYTES
                ? Optional.of(number.get(LITTLE_INT, 0))
                : Optional.empty();
    }

    private static byte[] bytes(GuestMemory memory, long address, int size) {
        byte[] bytes = new byte[Math.min(size, MOST_LOG)];
        memory.readAvailable(address, MemorySegment.ofArray(bytes));
        return bytes;
    }
}

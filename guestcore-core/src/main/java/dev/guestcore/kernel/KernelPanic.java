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

    private static Optional<String> panicLine(byte[] log) {
        Matcher matcher = LINE.matcher(new String(log, StandardCharsets.ISO_8859_1));
        return matcher.find() ? Optional.of(matcher.group()) : Optional.empty();
    }

    private static Optional<byte[]> log(GuestMemory memory, VmcoreInfoFields fields) {
        OptionalLong ring = fields.symbol("prb");
        OptionalLong ringText = fields.offset("printk_ringbuffer.text_data_ring");
        OptionalLong sizeBits = fields.offset("prb_data_ring.size_bits");
        OptionalLong data = fields.offset("prb_data_ring.data");
        if (ring.isPresent() && ringText.isPresent() && sizeBits.isPresent() && data.isPresent()) {
            Optional<Long> text = word(memory, ring.getAsLong()).map(at -> at + ringText.getAsLong());
            Optional<Integer> bits = text.flatMap(at -> number(memory, at + sizeBits.getAsLong()));
            Optional<Long> start = text.flatMap(at -> word(memory, at + data.getAsLong()));
            return bits.filter(log -> log > 0 && log < Integer.SIZE - 1)
                    .flatMap(log -> start.map(at -> bytes(memory, at, 1 << log)));
        }
        OptionalLong buffer = fields.symbol("log_buf");
        OptionalLong length = fields.symbol("log_buf_len");
        if (buffer.isPresent() && length.isPresent()) {
            Optional<Integer> size = number(memory, length.getAsLong()).filter(bytes -> bytes > 0);
            return word(memory, buffer.getAsLong()).flatMap(at -> size.map(bytes -> bytes(memory, at, bytes)));
        }
        return Optional.empty();
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

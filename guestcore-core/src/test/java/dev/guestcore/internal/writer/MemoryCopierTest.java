package dev.guestcore.internal.writer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.ForgetfulSink;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.channels.Channels;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class MemoryCopierTest {

    @Test
    void writesUnreadablePagesAsZerosAndNamesThem() {
        byte[] content = new byte[4 * 4096];
        Arrays.fill(content, (byte) 0x5a);
        RegionContents failing = new RegionContents() {
            @Override
            public long readAvailable(long offset, MemorySegment target) {
                long readable = offset < 4096 ? Math.min(4096 - offset, target.byteSize()) : offset >= 8192
                        ? target.byteSize()
                        : 0;
                MemorySegment.copy(MemorySegment.ofArray(content), offset, target, 0, readable);
                return readable;
            }
        };
        AddressRange range = AddressRange.ofSize(0x10000, content.length);
        Guest guest = Guest.builder()
                .region(new MemoryRegion(range, MemoryRegion.Kind.RAM, "ram"), failing)
                .build();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ChannelSink sink = new ChannelSink(Channels.newChannel(out), "test");
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, Progress.none());
        copier.copy(range);
        sink.flush();
        Arrays.fill(content, 4096, 8192, (byte) 0);
        assertArrayEquals(content, out.toByteArray());
        assertEquals(List.of(new AddressRange(0x11000, 0x11fff)), copier.unreadable());
        assertEquals(4096, copier.unreadableBytes());
        assertEquals(content.length, copier.memoryBytes());
    }

    /** What a dump left out is lost; only what is known to be zero counts as that. */
    @Test
    void tellsPagesThatWereLeftOutFromZeroPages() {
        AddressRange range = AddressRange.ofSize(0x10000, 3 * 4096);
        RegionContents contents = new RegionContents() {
            @Override
            public Run runAt(long offset, long remaining) {
                return offset < 4096
                        ? new Run(PageState.EXCLUDED, 4096 - offset)
                        : new Run(PageState.ZERO, remaining);
            }

            @Override
            public long readAvailable(long offset, MemorySegment target) {
                return 0;
            }
        };
        Guest guest = Guest.builder()
                .region(new MemoryRegion(range, MemoryRegion.Kind.RAM, "ram"), contents)
                .build();
        MemoryCopier copier = new MemoryCopier(guest.memory(), new ForgetfulSink(), Progress.none());
        copier.copy(range);
        assertEquals(List.of(new AddressRange(0x10000, 0x10fff)), copier.unreadable());
        assertEquals(2 * 4096, copier.zeroBytes());
        assertEquals(3 * 4096, copier.memoryBytes());
    }

    @Test
    void copiesAnyRangeOfSparseMemoryExactly() {
        Random random = new Random(1);
        byte[] content = new byte[3 << 20];
        for (int page = 0; page < content.length; page += 4096) {
            if (random.nextInt(3) == 0) {
                byte[] bytes = new byte[4096];
                random.nextBytes(bytes);
                System.arraycopy(bytes, 0, content, page, 4096);
            }
        }
        Guest guest = Guest.builder()
                .ram(0x1000, MemorySegment.ofArray(content))
                .region(
                        new MemoryRegion(
                                AddressRange.ofSize(0x1000 + content.length, 1 << 20), MemoryRegion.Kind.RAM, "zero"),
                        RegionContents.zeros())
                .build();
        byte[] all = Arrays.copyOf(content, content.length + (1 << 20));
        for (int round = 0; round < 50; round++) {
            int from = random.nextInt(all.length);
            int length = 1 + random.nextInt(all.length - from);
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            ChannelSink sink = new ChannelSink(Channels.newChannel(out), "test");
            new MemoryCopier(guest.memory(), sink, Progress.none()).copy(AddressRange.ofSize(0x1000 + from, length));
            sink.flush();
            assertEquals(length, sink.position());
            assertArrayEquals(Arrays.copyOfRange(all, from, from + length), out.toByteArray());
        }
        assertEquals(
                PageState.ZERO, guest.memory().runAt(0x1000 + content.length).state());
    }
}

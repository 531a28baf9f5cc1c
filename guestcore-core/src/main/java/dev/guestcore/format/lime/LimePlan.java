package dev.guestcore.format.lime;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ContentMap;
import dev.guestcore.internal.writer.MemoryCopier;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** An image laid out: one block for each stretch of readable memory. What cannot be read is in no block. */
final class LimePlan implements WritePlan {

    private static final String ABSENT = "the format has no such state, so they come back as absent";

    private final Guest guest;
    private final Dialect dialect;
    private final ContentMap content;
    private final Extents blocks;
    private final long memoryBytes;
    private final long size;

    LimePlan(Guest guest, Dialect dialect) {
        this.guest = guest;
        this.dialect = dialect;
        this.content = ContentMap.of(guest.memory());
        this.blocks = blocks(content);
        if (blocks.count() == 0) {
            throw new UnsupportedRequestException(
                    "this guest has no memory that can be read, and no program opens an image without a block");
        }
        this.memoryBytes = content.bytes(PageState.PRESENT) + content.bytes(PageState.ZERO);
        if (memoryBytes < 0 || memoryBytes > Long.MAX_VALUE >>> 1) {
            throw new UnsupportedRequestException("a file cannot hold this guest's memory of "
                    + Long.toUnsignedString(memoryBytes) + " bytes; nothing is written");
        }
        long total = 0;
        for (long i = 0; i < blocks.count(); i++) {
            long bytes = blocks.last(i) - blocks.first(i) + 1;
            total += BlockHeader.SIZE
                    + (dialect == Dialect.AVML ? SnappyFrames.largestStream(bytes) + Long.BYTES : bytes);
        }
        this.size = total;
    }

    private static Extents blocks(ContentMap content) {
        Extents.Builder blocks = new Extents.Builder(Arena.ofAuto());
        boolean open = false;
        for (long i = 0; i < content.count(); i++) {
            if (!content.state(i).isReadable()) {
                open = false;
            } else if (open && content.continues(i)) {
                blocks.extendLast(content.last(i));
            } else {
                blocks.add(content.first(i), content.last(i), 0);
                open = true;
            }
        }
        return blocks.build();
    }

    @Override
    public String layout() {
        return "version " + dialect.version();
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public List<Loss> losses() {
        List<Loss> losses = new ArrayList<>(CommonLosses.ofRegions(guest.memory()));
        losses.addAll(content.stateLoss(PageState.EXCLUDED, ABSENT));
        losses.addAll(content.stateLoss(PageState.UNREADABLE, ABSENT));
        losses.addAll(content.stateLoss(PageState.ZERO, "they are stored as zeros, and come back as present"));
        losses.addAll(CommonLosses.ofVcpus(guest));
        losses.addAll(CommonLosses.ofFacts(guest, Set.of()));
        losses.addAll(CommonLosses.ofTime(guest));
        return losses;
    }

    @Override
    public List<MemoryPlace> memoryPlaces() {
        List<MemoryPlace> places = new ArrayList<>();
        long offset = 0;
        for (long i = 0; dialect != Dialect.AVML && i < blocks.count(); i++) {
            AddressRange range = new AddressRange(blocks.first(i), blocks.last(i));
            places.add(new MemoryPlace(range, offset + BlockHeader.SIZE));
            offset += BlockHeader.SIZE + range.size();
        }
        return places;
    }

    @Override
    public WriteReport write(CoreSink sink, Progress progress) {
        progress.begin("writing memory", memoryBytes);
        long start = sink.position();
        SnappyFrames.Sink frames = new SnappyFrames.Sink(sink);
        CoreSink target = dialect == Dialect.AVML ? frames : sink;
        MemoryCopier copier = new MemoryCopier(guest.memory(), target, progress);
        for (long i = 0; i < blocks.count(); i++) {
            BlockHeader header =
                    new BlockHeader(dialect.magic(), dialect.version(), blocks.first(i), blocks.last(i));
            sink.write(MemorySegment.ofArray(header.bytes()));
            AddressRange range = new AddressRange(blocks.first(i), blocks.last(i));
            if (dialect == Dialect.AVML) {
                long before = sink.position();
                frames.begin();
                copier.copy(range);
                frames.finish();
                ByteBuffer length = ByteBuffer.allocate(Long.BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(0, sink.position() - before);
                sink.write(MemorySegment.ofBuffer(length));
            } else {
                copier.copy(range);
            }
        }
        List<AddressRange> unreadable = new ArrayList<>(content.ranges(PageState.UNREADABLE));
        unreadable.addAll(copier.unreadable());
        unreadable.sort(null);
        return new WriteReport(
                dialect.label(),
                layout(),
                sink.position() - start,
                copier.memoryBytes(),
                copier.zeroBytes(),
                losses(),
                unreadable.subList(0, Math.min(unreadable.size(), WriteReport.MOST_RANGES)),
                content.bytes(PageState.UNREADABLE) + copier.unreadableBytes());
    }
}

package dev.guestcore.manifest;

import dev.guestcore.Progress;
import dev.guestcore.file.CoreSink;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;

/** Feeds a finished file to a sink, as the one who wrote it did: memory as memory. */
final class SegmentFeed {

    private static final int CHUNK = 1 << 20;

    private SegmentFeed() {}

    /**
     * Reads the file once.
     *
     * @param segments which bytes are memory: file offsets, and beside each the address of its first byte
     */
    static void feed(WrittenFile file, Extents segments, CoreSink sink, Progress progress) {
        MemorySegment buffer = MemorySegment.ofArray(new byte[CHUNK]);
        long segment = 0;
        for (long offset = 0; offset < file.size();) {
            while (segment < segments.count() && segments.last(segment) < offset) {
                segment++;
            }
            boolean memory = segments.contains(segment, offset);
            long end = memory
                    ? segments.last(segment) + 1
                    : segment < segments.count() ? segments.first(segment) : file.size();
            MemorySegment bytes =
                    buffer.asSlice(0, file.read(offset, buffer.asSlice(0, Math.min(CHUNK, end - offset))));
            if (memory) {
                sink.memory().write(segments.value(segment) + (offset - segments.first(segment)), bytes);
            } else {
                sink.write(bytes);
            }
            offset += bytes.byteSize();
            progress.advance(bytes.byteSize());
        }
    }
}

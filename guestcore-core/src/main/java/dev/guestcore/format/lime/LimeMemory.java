package dev.guestcore.format.lime;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.memory.ExtentRegions;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.memory.PieceReader;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The memory of an image. The latest chunks stay decompressed, so that reading page by page decompresses each once; a chunk
 * that turns out damaged is unreadable from then on.
 */
final class LimeMemory implements GuestMemory {

    private static final int SLOTS = 32;

    private final FileBytes file;
    private final Extents extents;
    private final ChunkTable chunks;
    private final FileMemory plain;
    private final ExtentRegions regions;
    private final Slot[] slots = new Slot[SLOTS];

    /** A decompressed chunk. Guarded by its lock. */
    private static final class Slot {
        private final ReentrantLock lock = new ReentrantLock();
        private long index = -1;
        private byte[] content = new byte[0];
    }

    LimeMemory(FileBytes file, LimeFile image) {
        this.file = file;
        this.extents = image.extents();
        this.chunks = image.chunks();
        this.plain = new FileMemory(file, image.extents());
        this.regions = ExtentRegions.ram(image.regions());
        for (int i = 0; i < SLOTS; i++) {
            slots[i] = new Slot();
        }
    }

    @Override
    public List<MemoryRegion> regions() {
        return regions;
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return regions.at(address);
    }

    private static boolean isChunk(long value) {
        return value < FileMemory.ZERO;
    }

    @Override
    public PageRun runAt(long address) {
        long index = extents.floor(address);
        if (extents.contains(index, address) && isChunk(extents.value(index))) {
            PageState state = chunks.isDamaged(extents.value(index) & ~LimeFile.CHUNK)
                    ? PageState.UNREADABLE
                    : PageState.PRESENT;
            return new PageRun(new AddressRange(address, extents.last(index)), state);
        }
        return plain.runAt(address);
    }

    @Override
    public PageRun contentRunAt(long address) {
        long index = extents.floor(address);
        boolean chunk = extents.contains(index, address) && isChunk(extents.value(index));
        return chunk ? runAt(address) : plain.contentRunAt(address);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        PieceReader reader = this::readWithin;
        return reader.readAll(address, target);
    }

    private long readWithin(long address, MemorySegment target) {
        long index = extents.floor(address);
        if (!extents.contains(index, address)) {
            return 0;
        }
        MemorySegment part = target.asSlice(0, PieceReader.length(address, extents.last(index), target.byteSize()));
        return isChunk(extents.value(index))
                ? readChunk(extents.value(index) & ~LimeFile.CHUNK, address, part)
                : plain.readAvailable(address, part);
    }

    /** Reads of one chunk, whether or not it is what is shown at the address. */
    long readChunk(long index, long address, MemorySegment target) {
        if (chunks.isDamaged(index)) {
            return 0;
        }
        Slot slot = slots[(int) (index % SLOTS)];
        slot.lock.lock();
        try {
            if (slot.index != index) {
                slot.index = -1;
                slot.content = SnappyFrames.read(file, chunks.offset(index), chunks.storedSize(index),
                        chunks.size(index), chunks.isCompressed(index));
                slot.index = index;
            }
            int offset = (int) (address - chunks.address(index));
            MemorySegment.copy(slot.content, offset, target, ValueLayout.JAVA_BYTE, 0, (int) target.byteSize());
            return target.byteSize();
        } catch (MalformedDumpException e) {
            chunks.markDamaged(index);
            return 0;
        } catch (SourceException e) {
            if (file.readableFrom(chunks.offset(index), chunks.storedSize(index)) == chunks.storedSize(index)) {
                throw e;
            }
            // A block of it is on a part of the disk that cannot be read.
            chunks.markDamaged(index);
            return 0;
        } finally {
            slot.lock.unlock();
        }
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return plain.view(address, size);
    }
}

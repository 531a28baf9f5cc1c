package dev.guestcore.cli;

import dev.guestcore.GuestMemory;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import java.lang.foreign.MemorySegment;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;

/** Memory for programs, in pieces that are made as they are written: there may be any number. Not thread-safe. */
final class ReadJson implements Iterator<Object> {

    private static final int LONGEST_PIECE = 4096;

    private final GuestMemory memory;
    private final Cancellation cancellation;
    private long address;
    private long left;

    private ReadJson(GuestMemory memory, long address, long length, Cancellation cancellation) {
        this.memory = memory;
        this.address = address;
        this.left = length;
        this.cancellation = cancellation;
    }

    /** What is read, piece by piece. */
    static Map<String, Object> of(
            GuestMemory memory,
            String source,
            ProcessOption process,
            long address,
            long length,
            Cancellation cancellation) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", Locations.printable(source));
        if (process.pid != null) {
            document.put("pid", process.pid);
        }
        document.put("address", Json.address(address));
        document.put("length", length);
        document.put("pieces", (Iterable<Object>) () -> new ReadJson(memory, address, length, cancellation));
        return document;
    }

    @Override
    public boolean hasNext() {
        return left > 0;
    }

    @Override
    public Object next() {
        if (left <= 0) {
            throw new NoSuchElementException();
        }
        cancellation.check();
        PageRun run = memory.runAt(address);
        long toEnd = run.range().last() - address;
        long length = Long.compareUnsigned(toEnd, left - 1) < 0 ? toEnd + 1 : left;
        PageState state = run.state();
        Map<String, Object> piece = new LinkedHashMap<>();
        piece.put("address", Json.address(address));
        if (state == PageState.PRESENT) {
            byte[] bytes = new byte[(int) Math.min(length, LONGEST_PIECE)];
            long read = memory.readAvailable(address, MemorySegment.ofArray(bytes));
            if (read > 0) {
                length = read;
                piece.put("length", length);
                piece.put("state", Names.of(state));
                piece.put("hex", HexFormat.of().formatHex(bytes, 0, (int) read));
                return advance(length, piece);
            }
            // It was said to be there, and its place cannot be read.
            length = Math.min(length, LONGEST_PIECE - (address & LONGEST_PIECE - 1));
            state = PageState.UNREADABLE;
        }
        piece.put("length", length);
        piece.put("state", Names.of(state));
        return advance(length, piece);
    }

    private Object advance(long length, Map<String, Object> piece) {
        address += length;
        left -= length;
        return piece;
    }
}

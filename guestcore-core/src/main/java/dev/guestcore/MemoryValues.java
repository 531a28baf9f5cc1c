package dev.guestcore;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/** Numbers and texts in the memory of a guest. */
final class MemoryValues {

    private static final int LONGEST_TEXT = 16 << 20;
    private static final int CHUNK = 256;

    private MemoryValues() {}

    /** So many bytes, in the guest's byte order. */
    static ByteBuffer read(GuestMemory memory, long address, int size) {
        byte[] bytes = new byte[size];
        memory.read(address, bytes);
        return ByteBuffer.wrap(bytes).order(memory.byteOrder());
    }

    static String readString(GuestMemory memory, long address, int most) {
        Objects.checkIndex(most, LONGEST_TEXT + 1);
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        byte[] chunk = new byte[CHUNK];
        while (text.size() < most) {
            long at = address + text.size();
            int wanted = Math.min(CHUNK, most - text.size());
            int count = (int) memory.readAvailable(at, MemorySegment.ofArray(chunk).asSlice(0, wanted));
            for (int i = 0; i < count; i++) {
                if (chunk[i] == 0) {
                    return text.toString(StandardCharsets.UTF_8);
                }
                text.write(chunk[i]);
            }
            if (count < wanted) {
                // Fails in the words of this memory, which may be one of virtual addresses; or it has changed meanwhile.
                memory.read(at + count, MemorySegment.ofArray(chunk).asSlice(0, 1));
                throw new MemoryAccessException(at + count, memory.runAt(at + count).state());
            }
        }
        return text.toString(StandardCharsets.UTF_8);
    }
}

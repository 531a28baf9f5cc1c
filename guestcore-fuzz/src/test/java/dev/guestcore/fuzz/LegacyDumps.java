package dev.guestcore.fuzz;

import dev.guestcore.testing.Patterns;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** Dumps as {@code xm dump-core} wrote them before 2007 (docs/formats/xen-legacy.md); nothing writes them any more. */
final class LegacyDumps {

    private static final int PARAVIRTUALIZED = 0xf00febed;
    private static final int HARDWARE = 0xf00febee;
    private static final int HEADER = 24;
    private static final int PAGE = 4096;

    private LegacyDumps() {}

    static List<byte[]> seeds() {
        return List.of(
                dump(PARAVIRTUALIZED, ByteOrder.LITTLE_ENDIAN, 5168, 8, 7, 5),
                dump(HARDWARE, ByteOrder.LITTLE_ENDIAN, 2800, 4, 0, -1, 2),
                dump(HARDWARE, ByteOrder.BIG_ENDIAN, 1000, 8, 1));
    }

    private static byte[] dump(int magic, ByteOrder order, int context, int width, long... frames) {
        int list = HEADER + context;
        int first = list + frames.length * width + PAGE - 1 & -PAGE;
        ByteBuffer file = ByteBuffer.allocate(first + frames.length * PAGE).order(order);
        file.putInt(magic).putInt(1).putInt(frames.length).putInt(HEADER).putInt(list).putInt(first);
        file.position(list);
        for (long frame : frames) {
            if (width == Long.BYTES) {
                file.putLong(frame);
            } else {
                file.putInt((int) frame);
            }
        }
        file.position(first).put(Patterns.bytes(frames.length * PAGE, 1));
        return file.array();
    }
}

package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class VmcoreInfoTest {

    private static final String TEXT = "OSRELEASE=6.1.0-test\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82a15520\n";
    private static final int SIZE = 3 << 20;

    private static Optional<VmcoreInfo> find(byte[] memory) {
        Guest guest = Guest.builder().device(0, 0x1000, "").ram(0x1000, MemorySegment.ofArray(memory)).build();
        return VmcoreInfo.find(guest.memory(), Progress.none());
    }

    private static void note(byte[] memory, int at, String text) {
        ByteBuffer note = ByteBuffer.wrap(memory).order(ByteOrder.LITTLE_ENDIAN).position(at);
        note.putInt(11).putInt(text.length()).putInt(0);
        note.put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII)).put(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static void text(byte[] memory, int at, String text) {
        ByteBuffer.wrap(memory).position(at).put(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void prefersTheKernelsNoteToABareText() {
        byte[] memory = new byte[SIZE];
        text(memory, 0x2000, TEXT.replace("test", "other"));
        note(memory, 0x201000, TEXT);
        VmcoreInfo info = find(memory).orElseThrow();
        assertEquals(TEXT, info.text());
        assertEquals(0x1000 + 0x201000 + 24, info.address());
    }

    @Test
    void takesATextThatBeginsAPage() {
        byte[] memory = new byte[SIZE];
        text(memory, 0x5000, TEXT);
        assertEquals(0x6000, find(memory).orElseThrow().address());
    }

    @Test
    void isNotTakenInByLookalikes() {
        byte[] memory = new byte[SIZE];
        text(memory, 0x5010, TEXT);
        text(memory, 0x8000, "OSRELEASE=6.1.0\n");
        note(memory, 0x9000, "OSRELEASE=6.1.0\nPAGESIZE=4096\n");
        note(memory, 0xa000, TEXT.replace('t', '\1'));
        note(memory, 0xb000, TEXT);
        memory[0xb000 + 6] = 0x7f;
        assertTrue(find(memory).isEmpty());
    }
}

package dev.guestcore.internal.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.kernel.LinuxBanner;
import dev.guestcore.kernel.VmcoreInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KernelSearchTest {

    private static final int PAGE = 4096;
    private static final String TEXT = "OSRELEASE=6.1.0\nPAGESIZE=4096\nSYMBOL(init_uts_ns)=ffffffff82613400\n";
    private static final String BANNER = "Linux version 6.1.0 (me@there) (gcc 12) #1 SMP\n";

    /** As the pump does it, with stretches of so many pages; memory begins at 64 KiB. */
    static KernelSearch search(GuestMemory memory, long size, int stretch) {
        KernelSearch search = new KernelSearch(memory, true);
        KernelSearch.Collector finds = search.new Collector();
        MemorySegment page = Arena.ofAuto().allocate(PAGE, PAGE);
        long first = memory.regions().getFirst().range().first();
        for (long at = 0; at < size; at += PAGE) {
            page.fill((byte) 0);
            memory.readAvailable(first + at, page);
            finds.look(first + at, page);
            if ((at / PAGE + 1) % stretch == 0) {
                search.take(finds);
            }
        }
        search.take(finds);
        return search;
    }

    private static KernelSearch search(byte[] memory, int stretch) {
        try (Guest guest =
                Guest.builder().ram(0x10000, MemorySegment.ofArray(memory)).build()) {
            return search(guest.memory(), memory.length, stretch);
        }
    }

    private static void put(byte[] memory, int at, String text) {
        System.arraycopy(text.getBytes(StandardCharsets.US_ASCII), 0, memory, at, text.length());
    }

    private static void putNote(byte[] memory, int at, String text) {
        ByteBuffer.wrap(memory)
                .order(ByteOrder.LITTLE_ENDIAN)
                .position(at)
                .putInt(11)
                .putInt(text.length())
                .putInt(0)
                .put("VMCOREINFO\0\0".getBytes(StandardCharsets.US_ASCII))
                .put(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void takesTheFirstNoteBeforeAnyText() {
        byte[] memory = new byte[64 * PAGE];
        put(memory, 3 * PAGE, TEXT);
        putNote(memory, 33 * PAGE, TEXT.replace("6.1.0", "6.1.1"));
        putNote(memory, 34 * PAGE, TEXT.replace("6.1.0", "6.1.2"));
        putNote(memory, 60 * PAGE, TEXT.replace("6.1.0", "6.1.3"));
        for (int stretch : new int[] {1, 2, 16, 100}) {
            assertEquals(
                    TEXT.replace("6.1.0", "6.1.1"),
                    search(memory, stretch).vmcoreInfo().getFirst().text());
        }
    }

    @Test
    void takesTheFirstTextWhereThereIsNoNote() {
        byte[] memory = new byte[64 * PAGE];
        put(memory, 5 * PAGE, TEXT);
        put(memory, 50 * PAGE, TEXT.replace("6.1.0", "6.1.1"));
        VmcoreInfo found = search(memory, 16).vmcoreInfo().getFirst();
        assertEquals(TEXT, found.text());
        assertEquals(0x10000 + 5 * PAGE, found.address());
    }

    @Test
    void takesNoneThatIsLongerThanTheKernelsPage() {
        byte[] memory = new byte[64 * PAGE];
        putNote(memory, 7 * PAGE, TEXT + "X".repeat(KernelSearch.LONGEST_VMCOREINFO));
        putNote(memory, 20 * PAGE, TEXT + "X".repeat(KernelSearch.LONGEST_VMCOREINFO - TEXT.length()));
        assertEquals(
                0x10000 + 20 * PAGE + 24,
                search(memory, 16).vmcoreInfo().getFirst().address());
    }

    @Test
    void findsTheBannerAcrossStretches() {
        byte[] memory = new byte[8 * PAGE];
        put(memory, 4 * PAGE - 20, BANNER);
        put(memory, 6 * PAGE, BANNER.replace("6.1.0", "5.0"));
        assertEquals(
                Optional.of("6.1.0"), search(memory, 4).banner().map(LinuxBanner::release));
        assertEquals(List.of(), search(memory, 4).vmcoreInfo());
    }

    @Test
    void looksForNothingUnasked() {
        byte[] memory = new byte[PAGE];
        put(memory, 0, TEXT);
        try (Guest guest =
                Guest.builder().ram(0x10000, MemorySegment.ofArray(memory)).build()) {
            KernelSearch search = new KernelSearch(guest.memory(), false);
            KernelSearch.Collector finds = search.new Collector();
            finds.look(0x10000, MemorySegment.ofArray(memory));
            search.take(finds);
            assertEquals(List.of(), search.vmcoreInfo());
        }
    }
}

package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KdumpHostileTest {

    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    private final KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE)
            .page(0, new byte[PAGE], 0)
            .page(1, zlib(PAGE), 1)
            .page(2, new byte[PAGE], 0)
            .vmcoreInfo("OSRELEASE=6.1\n");
    private final ByteBuffer bytes = ByteBuffer.wrap(image.bytes()).order(ByteOrder.LITTLE_ENDIAN);

    private static byte[] zlib(int size) {
        Deflater deflater = new Deflater();
        deflater.setInput(new byte[size]);
        deflater.finish();
        byte[] room = new byte[size + 100];
        return Arrays.copyOf(room, deflater.deflate(room));
    }

    private Path file() {
        return ElfFiles.write(folder.resolve("image"), bytes.array());
    }

    private String refused() {
        return assertThrows(MalformedDumpException.class, () -> Guests.open(file())).getMessage();
    }

    private PageState stateAfterReading(long address) {
        try (Guest guest = Guests.open(file())) {
            assertEquals(0, guest.memory().readAvailable(address, MemorySegment.ofArray(new byte[PAGE])));
            return guest.memory().runAt(address).state();
        }
    }

    @Test
    void pageSizesThatAreNone() {
        for (int size : new int[] {0, 1, 511, 4095, 4097, 6144, 1 << 21, 0x80000000, -1}) {
            bytes.putInt(image.at("block_size"), size);
            String message = refused();
            assertTrue(message.contains("block_size"), message);
        }
    }

    @Test
    void versionsThatAreNone() {
        for (int version : new int[] {0, 7, -1}) {
            bytes.putInt(image.at("header_version"), version);
            assertTrue(refused().contains("header_version"));
        }
    }

    @Test
    void bitmapsLongerThanTheFile() {
        for (int blocks : new int[] {1000, 0x7fffffff, -1}) {
            bytes.putInt(image.at("bitmap_blocks"), blocks);
            assertTrue(refused().contains("bitmaps"));
        }
    }

    @Test
    void subHeadersLongerThanTheFile() {
        for (int blocks : new int[] {0, 1000, -1}) {
            bytes.putInt(image.at("sub_hdr_size"), blocks);
            assertTrue(refused().contains("sub-header") || refused().contains("bitmaps"));
        }
    }

    @Test
    void morePagesThanTheBitmapsHaveBitsFor() {
        for (long count : new long[] {2L * PAGE * 8 + 1, 1L << 40, Long.MAX_VALUE, -1, -8}) {
            bytes.putLong(image.at("max_mapnr_64"), count);
            String message = refused();
            assertTrue(message.contains("max_mapnr_64"), message);
        }
        bytes.putLong(image.at("max_mapnr_64"), 0);
        assertTrue(refused().contains("max_mapnr"));
    }

    @Test
    void placesOutsideTheFileAreFindings() {
        for (String what : new String[] {"vmcoreinfo", "note", "eraseinfo"}) {
            for (long offset : new long[] {-1, Long.MIN_VALUE, 1L << 40}) {
                bytes.putLong(image.at("offset_" + what), offset);
                bytes.putLong(image.at("size_" + what), 100);
                try (Guest guest = Guests.open(file())) {
                    assertTrue(guest.findings().stream()
                            .anyMatch(finding -> finding.severity() == Severity.DAMAGE
                                    && finding.message().contains("offset_" + what)));
                }
            }
        }
    }

    @Test
    void descriptorsThatPointNowhere() {
        int second = image.at("descriptors") + 24;
        for (long offset : new long[] {-1, -PAGE, Long.MIN_VALUE, Long.MAX_VALUE, bytes.capacity(),
            bytes.capacity() - 1}) {
            bytes.putLong(second, offset);
            assertEquals(PageState.UNREADABLE, stateAfterReading(PAGE), "offset " + offset);
        }
    }

    @Test
    void descriptorsWithImpossibleSizesOrFlags() {
        int second = image.at("descriptors") + 24;
        int size = bytes.getInt(second + 8);
        for (int impossible : new int[] {0, PAGE + 1, Integer.MAX_VALUE, -1}) {
            bytes.putInt(second + 8, impossible);
            assertEquals(PageState.UNREADABLE, stateAfterReading(PAGE), "size " + impossible);
        }
        bytes.putInt(second + 8, size);
        for (int flags : new int[] {3, 0x40, 0x21, -1, 0}) {
            bytes.putInt(second + 12, flags);
            assertEquals(PageState.UNREADABLE, stateAfterReading(PAGE), "flags " + flags);
        }
    }

    @Test
    void pagesThatInflateBeyondThePage() {
        for (int size : new int[] {PAGE - 1, PAGE + 1, 50 * PAGE}) {
            KdumpImage bomb = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE).page(0, zlib(size), 1);
            try (Guest guest = Guests.open(bomb.write(folder.resolve("bomb" + size)))) {
                assertEquals(0, guest.memory().readAvailable(0, MemorySegment.ofArray(new byte[PAGE])));
                assertEquals(PageState.UNREADABLE, guest.memory().runAt(0).state());
            }
        }
    }

    @Test
    void aDamagedPageLeavesItsNeighbours() {
        bytes.putInt(image.at("descriptors") + 24 + 8, 0);
        try (Guest guest = Guests.open(file())) {
            assertEquals(PAGE, guest.memory().readAvailable(0, MemorySegment.ofArray(new byte[3 * PAGE])));
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(PAGE).state());
            assertEquals(PAGE, guest.memory().runAt(PAGE).range().last() - PAGE + 1);
            assertEquals(PAGE, guest.memory().readAvailable(2 * PAGE, MemorySegment.ofArray(new byte[PAGE])));
        }
    }

    /** Cut anywhere: an error, or a guest of which every page is whole or said to be lost. */
    @Test
    void cutShortAnywhere() {
        byte[] whole = bytes.array();
        for (int size = 0; size < whole.length; size += size < 700 ? 37 : 611) {
            tryOut(Arrays.copyOf(whole, size), true);
        }
        for (int size = image.at("descriptors"); size < image.at("data"); size++) {
            tryOut(Arrays.copyOf(whole, size), true);
        }
    }

    @Test
    @Tag("slow")
    void flippedBytesAnywhere() {
        byte[] whole = bytes.array();
        Random random = new Random(1);
        for (int i = 0; i < 1500; i++) {
            byte[] damaged = whole.clone();
            int flips = 1 + random.nextInt(3);
            for (int flip = 0; flip < flips; flip++) {
                // Where the tables are, not where the padding is.
                int at = switch (random.nextInt(5)) {
                    case 0 -> random.nextInt(500);
                    case 1 -> PAGE + random.nextInt(200);
                    case 2 -> image.at("bitmap") + random.nextInt(2) * PAGE + random.nextInt(8);
                    case 3 -> image.at("descriptors") + random.nextInt(72);
                    default -> random.nextInt(damaged.length);
                };
                damaged[at] = (byte) random.nextInt();
            }
            tryOut(damaged, false);
        }
    }

    private void tryOut(byte[] content, boolean cut) {
        Path path = ElfFiles.write(folder.resolve("damaged"), content);
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> {
            try (Guest guest = Guests.open(path)) {
                boolean lost = readAll(guest);
                boolean told = guest.findings().stream()
                        .anyMatch(finding -> finding.severity() == Severity.DAMAGE);
                assertTrue(!cut || !lost || told, "pages are lost and nobody says so");
            } catch (GuestcoreException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            }
            try (FileBytes file = FileBytes.open(path)) {
                new KdumpFormat().verify(file, true, Progress.none());
            } catch (GuestcoreException e) {
                assertEquals(1, e.getMessage().lines().count(), e.getMessage());
            }
        });
    }

    /** Whether any page could not be read. */
    private static boolean readAll(Guest guest) {
        byte[] buffer = new byte[64 * PAGE];
        boolean lost = false;
        for (MemoryRegion region : guest.memory().regions()) {
            long address = region.range().first();
            for (int steps = 0; steps < 200; steps++) {
                PageRun run = guest.memory().runAt(address);
                long done = guest.memory().readAvailable(address, MemorySegment.ofArray(buffer));
                assertTrue(done == 0 || run.state().isReadable());
                long next = done > 0 ? address + done : guest.memory().runAt(address).range().last() + 1;
                lost |= done == 0 && guest.memory().runAt(address).state() == PageState.UNREADABLE;
                if (Long.compareUnsigned(next, region.range().last()) > 0 || next == 0) {
                    break;
                }
                address = next;
            }
        }
        return lost;
    }
}

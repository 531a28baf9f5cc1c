package dev.guestcore.format.kdump;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Descriptors, bitmap and pages that do not fit each other. */
class PagePlacesTest {

    private static final int PAGE = 4096;
    private static final int PAGES = 40;

    @TempDir
    Path folder;

    private static KdumpImage image() {
        KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE);
        for (int pfn = 0; pfn < PAGES; pfn++) {
            image.page(pfn, Patterns.bytes(PAGE, pfn), 0);
        }
        return image;
    }

    private Path write(byte[] dump) {
        try {
            return Files.write(folder.resolve("dump"), dump);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private List<String> damage(byte[] dump) {
        try (Guest guest = Guests.open(write(dump))) {
            return guest.findings().stream()
                    .filter(finding -> finding.severity() == Severity.DAMAGE)
                    .map(Finding::message)
                    .toList();
        }
    }

    private List<String> failed(byte[] dump) {
        try (FileBytes file = FileBytes.open(write(dump))) {
            return new KdumpFormat().verify(file, true, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .map(Check::id)
                    .toList();
        }
    }

    private static byte[] withBit(KdumpImage image, int pfn, boolean set) {
        byte[] dump = image.bytes();
        int at = image.at("descriptors") - PAGE + pfn / 8;
        dump[at] = (byte) (set ? dump[at] | 1 << pfn % 8 : dump[at] & ~(1 << pfn % 8));
        return dump;
    }

    @Test
    void aWholeFilePasses() {
        assertEquals(List.of(), damage(image().bytes()));
        assertEquals(List.of(), failed(image().bytes()));
    }

    @Test
    void aBitTooFewLeavesADescriptorOver() {
        byte[] dump = withBit(image(), 17, false);
        assertEquals(1, damage(dump).size(), damage(dump)::toString);
        assertTrue(damage(dump).getFirst().contains("after the 39 for which the bitmap has pages"));
        assertEquals(List.of("kdump-00", "kdump-17"), failed(dump));
    }

    @Test
    void aBitTooManyTakesAPageForADescriptor() {
        byte[] dump = withBit(image().exists(PAGES + 3).pageCount(100), PAGES + 3, true);
        assertTrue(damage(dump).getFirst().contains("the second bitmap has a bit too many"), damage(dump)::toString);
        assertTrue(failed(dump).containsAll(List.of("kdump-00", "kdump-17")), () -> failed(dump).toString());
    }

    @Test
    void aDescriptorThatIsAnothersIsDamage() {
        KdumpImage image = image();
        byte[] dump = image.bytes();
        System.arraycopy(dump, image.at("descriptors") + 24 * 30, dump, image.at("descriptors") + 24 * 12, 24);
        assertEquals(1, damage(dump).size(), damage(dump)::toString);
        assertTrue(damage(dump).getFirst().contains("page descriptors 12 and 30 name the same page at offset 0x"));
        assertEquals(List.of("kdump-00", "kdump-18"), failed(dump));
        byte[] backward = image.bytes();
        System.arraycopy(backward, image.at("descriptors") + 24 * 3, backward, image.at("descriptors") + 24 * 31, 24);
        assertTrue(damage(backward).getFirst().contains("page descriptors 3 and 31 name the same page"));
    }

    /** The place of a zero page with a bit flipped: nothing is left over, but no page begins there. */
    @Test
    void aPlaceAcrossOtherPagesIsDamage() {
        KdumpImage image = image().page(0, new byte[PAGE], 0).page(5, new byte[PAGE], 0).page(6, new byte[PAGE], 0);
        byte[] dump = image.bytes();
        int descriptors = image.at("descriptors");
        System.arraycopy(dump, descriptors, dump, descriptors + 24 * 5, 24);
        System.arraycopy(dump, descriptors, dump, descriptors + 24 * 6, 24);
        dump[descriptors + 24 * 5 + 1] ^= 0x10;
        dump[descriptors + 24 * 5] ^= 0x08;
        assertTrue(damage(dump).stream().anyMatch(text -> text.contains("lie across those of other pages")),
                () -> damage(dump).toString());
        assertTrue(failed(dump).containsAll(List.of("kdump-00", "kdump-17")), () -> failed(dump).toString());
    }

    /** All writers give zero pages one place. */
    @Test
    void zeroPagesMayShareAPlace() {
        KdumpImage image = image().page(0, new byte[PAGE], 0).page(5, new byte[PAGE], 0).page(6, new byte[PAGE], 0);
        byte[] dump = image.bytes();
        int descriptors = image.at("descriptors");
        System.arraycopy(dump, descriptors, dump, descriptors + 24 * 5, 24);
        System.arraycopy(dump, descriptors, dump, descriptors + 24 * 6, 24);
        assertEquals(List.of(), damage(dump));
        assertEquals(List.of(), failed(dump));
    }

    /** makedumpfile copies our notes as they are into a file where pages lie at those places. */
    @Test
    void aNoteAboutARecordThatIsGoneTakesNoPlace() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 12);
        for (long type : new long[] {BesideMemory.NOTE_TYPE, KdumpNotes.KEEP_TYPE}) {
            int pages = image().notes(elf.note(KdumpNotes.OWN, (int) type, new byte[16])).bytes().length - 20 * PAGE;
            byte[] note = elf.note(KdumpNotes.OWN, (int) type, KdumpNotes.placeNote(pages, 2 * PAGE));
            byte[] dump = image().notes(note).bytes();
            assertEquals(List.of(), damage(dump));
            assertEquals(List.of(), failed(dump));
        }
    }

    /** Another thread may find a page damaged at any time. */
    @Test
    void threadsThatFindTheSamePagesDamagedSeeThemUnreadable() throws Exception {
        KdumpImage image = new KdumpImage(KdumpImage.Machine.X86_64, 6, PAGE);
        for (int pfn = 0; pfn < 4 * PAGES; pfn++) {
            image.page(pfn, pfn % 2 == 0 ? new byte[] {1, 2, 3} : Patterns.bytes(PAGE, pfn), pfn % 2 == 0 ? 1 : 0);
        }
        Path path = write(image.bytes());
        int threads = 4;
        try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
            for (int round = 0; round < 40; round++) {
                try (Guest guest = Guests.open(path)) {
                    CyclicBarrier together = new CyclicBarrier(threads);
                    List<Future<Integer>> all = new ArrayList<>();
                    for (int i = 0; i < threads; i++) {
                        all.add(pool.submit(() -> {
                            together.await();
                            int unreadable = 0;
                            for (long pfn = 0; pfn < 4 * PAGES; pfn++) {
                                guest.memory().runAt(pfn * PAGE);
                                MemorySegment page = MemorySegment.ofArray(new byte[PAGE]);
                                long read = guest.memory().readAvailable(pfn * PAGE, page);
                                unreadable += read == 0
                                        && guest.memory().runAt(pfn * PAGE).state() == PageState.UNREADABLE ? 1 : 0;
                            }
                            return unreadable;
                        }));
                    }
                    for (Future<Integer> one : all) {
                        assertEquals(2 * PAGES, one.get());
                    }
                }
            }
        }
    }
}

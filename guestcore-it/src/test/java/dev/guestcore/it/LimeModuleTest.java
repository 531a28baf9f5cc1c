package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** An image that the LiME module wrote in a Linux guest, read and written again. */
@Timeout(300)
class LimeModuleTest {

    private static final String NEEDLE = "GUESTCORE-DUMPED-BY-LIME";
    private static final int PAGE = 4096;
    private static final int LIME_HEADER = 32;

    @TempDir
    private static Path folder;

    private static QemuGuest qemu;
    private static List<AddressRange> blocks;

    @BeforeAll
    static void dump() throws IOException {
        qemu = QemuGuest.linuxDumpedByLime(NEEDLE);
        qemu.qmp("stop", Map.of());
        try (Guest uncut = Guests.open(qemu.disk())) {
            assertEquals(
                    List.of(Severity.NOTE),
                    uncut.findings().stream().map(Finding::severity).toList());
        }
        blocks = cutBehindLastBlock(qemu.disk());
    }

    @AfterAll
    static void stop() {
        if (qemu != null) {
            qemu.close();
        }
    }

    /** Goes over the headers, cuts off what the disk has behind the last block, and gives the blocks. */
    private static List<AddressRange> cutBehindLastBlock(Path disk) throws IOException {
        List<AddressRange> found = new ArrayList<>();
        try (FileChannel channel =
                FileChannel.open(disk, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            long at = 0;
            while (true) {
                ByteBuffer header = ByteBuffer.allocate(LIME_HEADER).order(ByteOrder.LITTLE_ENDIAN);
                channel.read(header, at);
                if (header.getInt(0) != 0x4c694d45) {
                    channel.truncate(at);
                    return found;
                }
                found.add(new AddressRange(header.getLong(8), header.getLong(16)));
                at += LIME_HEADER + found.getLast().size();
            }
        }
    }

    @Test
    void isReadWithEveryRange() {
        try (Guest guest = Guests.open(qemu.disk())) {
            assertEquals("lime", guest.provenance().format());
            assertTrue(blocks.size() > 1, blocks::toString);
            assertEquals(
                    blocks, guest.memory().regions().stream().map(MemoryRegion::range).toList());
            assertEquals(List.of(), guest.findings());
        }
    }

    @Test
    void holdsTheTextAndTheKernelThatQemuSees() throws IOException {
        try (Guest dumped = Guests.open(qemu.disk());
                Guest live = Guests.open(qemu.location())) {
            // Each may also hold copies in the cache of the disk that the dump went through.
            List<Long> pages = needlePages(live);
            pages.retainAll(needlePages(dumped));
            MemorySegment expected = MemorySegment.ofArray(new byte[PAGE]);
            MemorySegment found = MemorySegment.ofArray(new byte[PAGE]);
            int same = 0;
            for (long page : pages) {
                live.memory().read(page, expected);
                dumped.memory().read(page, found);
                same += expected.mismatch(found) < 0 ? 1 : 0;
            }
            assertTrue(same >= 4, same + " pages of the process among " + pages);
            KernelFacts facts = KernelFacts.glance(live);
            KernelFacts searched = KernelFacts.search(dumped, Progress.none());
            assertEquals(
                    facts.kaslrOffset().orElseThrow().value(),
                    searched.kaslrOffset().orElseThrow().value());
            assertEquals(
                    facts.physicalBase().orElseThrow().value(),
                    searched.physicalBase().orElseThrow().value());
        }
    }

    private static List<Long> needlePages(Guest guest) {
        List<Long> pages = new ArrayList<>();
        MemorySearch.of(SearchPattern.text(NEEDLE, List.of(StandardCharsets.US_ASCII)))
                .physical(
                        guest.memory(),
                        hit -> {
                            if (hit.address() % PAGE == 0) {
                                pages.add(hit.address());
                            }
                        },
                        Progress.none());
        return pages;
    }

    /** Straight, and through a format that has program headers: the same bytes that the module wrote. */
    @Test
    void isWrittenAgainByteForByte() throws IOException {
        assertEquals(-1, Files.mismatch(qemu.disk(), written(qemu.disk(), "again", "lime")));
        Path elf = written(qemu.disk(), "elf", "elf");
        assertEquals(-1, Files.mismatch(qemu.disk(), written(elf, "and-back", "lime")));
    }

    private static Path written(Path source, String name, String format) {
        Path target = folder.resolve(name);
        try (Guest guest = Guests.open(source)) {
            Guests.format(format).writer(Map.of()).write(guest, target, Progress.none());
        }
        return target;
    }
}

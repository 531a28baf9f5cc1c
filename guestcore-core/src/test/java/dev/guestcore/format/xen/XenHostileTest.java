package dev.guestcore.format.xen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnrecognizedFormatException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.Probe;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that are cut short, wrong or made in bad faith. */
class XenHostileTest {

    private static final int HEADERS = 64 + 7 * 64;

    @TempDir
    private Path folder;

    private Path core() {
        return folder.resolve("core");
    }

    private MalformedDumpException refused(byte[] bytes) throws IOException {
        Files.write(core(), bytes);
        return assertThrows(MalformedDumpException.class, () -> Guests.open(core()).close());
    }

    private static ByteBuffer buffer(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Test
    void truncatedWithinTheSectionHeaders() throws IOException {
        assertEquals(
                core() + ": at offset 0x40: section headers: expected 448 bytes up to offset 0x200, found a file"
                        + " of 511 bytes;"
                        + " the file is cut short or the field that points here is wrong",
                refused(Arrays.copyOf(new XenImage().build(), HEADERS - 1)).getMessage());
    }

    @Test
    void truncatedRightBehindTheSectionHeaders() throws IOException {
        assertEquals(
                core() + ": at offset 0x200: sections: expected notes, vCPUs and memory after the section"
                        + " headers, found the"
                        + " end of the file at 0x200; nothing of the guest is in this file; dump it again",
                refused(Arrays.copyOf(new XenImage().build(), HEADERS)).getMessage());
    }

    @Test
    @Tag("slow")
    void truncatedAnywhereItOpensOrIsRefusedWithOneLine() throws IOException {
        for (boolean tableFirst : new boolean[] {false, true}) {
            XenImage image = new XenImage();
            image.tableFirst = tableFirst;
            byte[] whole = image.build();
            for (int size = 0; size < whole.length; size += size < 0x800 || size > whole.length - 300 ? 1 : 509) {
                Files.write(core(), Arrays.copyOf(whole, size));
                try (Guest guest = Guests.open(core())) {
                    assertTrue(guest.findings().stream()
                            .anyMatch(finding -> finding.severity() == Severity.DAMAGE));
                    readAll(guest);
                } catch (MalformedDumpException | UnrecognizedFormatException e) {
                    assertTrue(size <= HEADERS, () -> "refused though there is something to read: " + e.getMessage());
                }
            }
        }
    }

    @Test
    void whatIsMissingOfThePagesIsUnreadable() throws IOException {
        XenImage image = new XenImage();
        image.tableFirst = true;
        byte[] whole = image.build();
        Files.write(core(), Arrays.copyOf(whole, whole.length - 72 - 4096 - 96));
        try (Guest guest = Guests.open(core())) {
            assertEquals(PageState.PRESENT, guest.memory().runAt(1 << 12).state());
            assertEquals(PageState.PRESENT, guest.memory().runAt(2 << 12).state());
            assertEquals(4000, guest.memory().runAt(2 << 12).range().size());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt((2 << 12) + 4000).state());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(5 << 12).state());
        }
    }

    @Test
    @Tag("slow")
    void randomBytesInTheHeadNeverDoMoreThanAnError() throws IOException {
        Random random = new Random(20);
        byte[][] sources = {
            new XenImage().build(),
            Arrays.copyOf(Files.readAllBytes(Samples.core("xen/pv32-mini")), 0x5000),
        };
        for (int round = 0; round < 1500; round++) {
            byte[] bytes = sources[round % sources.length].clone();
            int limit = round % 3 == 0 ? bytes.length : 0x780;
            for (int i = 0; i <= random.nextInt(4); i++) {
                bytes[random.nextInt(limit)] = (byte) random.nextInt();
            }
            Files.write(core(), bytes);
            try (Guest guest = Guests.open(core())) {
                readAll(guest);
                guest.machineMemory().ifPresent(machine -> machine.regions().size());
                XenDumpCoreWriter.asSource().plan(guest);
            } catch (GuestcoreException e) {
                boolean ours = e.getMessage().startsWith(core().toString()) || e.getMessage().contains("dump-core");
                assertTrue(ours, e.getMessage());
            }
            try (FileBytes file = FileBytes.open(core())) {
                XenDumpCoreFormat format = new XenDumpCoreFormat();
                format.probe(file);
                List<Check> checks = format.verify(file, true, Progress.none());
                // What breaks off has failed.
                boolean whole = checks.size() >= 40;
                assertTrue(whole || checks.stream().anyMatch(check -> check.result() == Check.Result.FAIL),
                        checks::toString);
            } catch (MalformedDumpException e) {
                assertTrue(e.getMessage().contains("expected"), e.getMessage());
            }
        }
    }

    private static void readAll(Guest guest) {
        byte[] page = new byte[4096];
        for (MemoryRegion region : guest.memory().regions()) {
            guest.memory().readAvailable(region.range().first(), MemorySegment.ofArray(page));
        }
    }

    @Test
    void sizesThatOverflow() throws IOException {
        byte[] bytes = new XenImage().build();
        // Sections 5 and 6: pages and table; sh_offset at 24, sh_size at 32 of each header.
        buffer(bytes).putLong(64 + 5 * 64 + 24, -4096L);
        buffer(bytes).putLong(64 + 5 * 64 + 32, Long.MAX_VALUE);
        buffer(bytes).putLong(64 + 6 * 64 + 32, -1L);
        Files.write(core(), bytes);
        try (Guest guest = Guests.open(core())) {
            assertTrue(guest.findings().stream().anyMatch(finding -> finding.message().startsWith(
                    "at offset 0xfffffffffffff000: .xen_pages: expected 9223372036854775807 bytes, found 0 before"
                            + " the end")));
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(0).state());
        }
    }

    @Test
    void aSparseTableThatWouldTakeGigabytesToSort() throws IOException {
        XenImage image = new XenImage();
        image.tableFirst = true;
        image.pfns = new long[] {7, 3};
        byte[] bytes = image.build();
        long entries = (1L << 27) + 1;
        // Section 5 is the table, 6 the pages; the table is moved to the end and grows there.
        long end = bytes.length;
        buffer(bytes).putLong(64 + 5 * 64 + 24, end).putLong(64 + 5 * 64 + 32, entries * 8);
        buffer(bytes).putLong(64 + 6 * 64 + 32, entries * 4096);
        Files.write(core(), XenImage.join(bytes, new byte[] {7, 0, 0, 0, 0, 0, 0, 0, 3}));
        try (FileChannel channel = FileChannel.open(core(), StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), end + entries * 8 - 1);
        }
        UnsupportedRequestException error =
                assertThrows(UnsupportedRequestException.class, () -> Guests.open(core()).close());
        assertEquals(
                "the frame table of this Xen dump-core has 134217729 entries that are not in order; more than 134217728"
                        + " are not sorted, because that takes gigabytes of memory; in an undamaged dump page frames"
                        + " ascend",
                error.getMessage());
    }

    @Test
    void aNoteThatRunsPastItsSection() throws IOException {
        byte[] bytes = new XenImage().build();
        buffer(bytes).putInt(0x240 + 4, 0x7fffffff);
        Files.write(core(), bytes);
        try (Guest guest = Guests.open(core())) {
            assertEquals(
                    "at offset 0x250: descriptor of note Xen.: expected 2147483647 bytes within the notes, which"
                            + " end at offset"
                            + " 0x768, found only 1304 bytes; the notes are cut short or a size in them is wrong",
                    guest.findings().getFirst().message());
            assertEquals(1, guest.vcpus().size());
        }
    }

    @Test
    void zeroVcpus() throws IOException {
        byte[] bytes = new XenImage().build();
        buffer(bytes).putLong(64 + 3 * 64 + 32, 0);
        Files.write(core(), bytes);
        try (Guest guest = Guests.open(core())) {
            assertEquals(List.of(), guest.vcpus());
            assertEquals(
                    "at offset 0x220: xch_nr_vcpus: expected 0 as in .xen_prstatus, found 1; the section is used",
                    guest.findings().getFirst().message());
        }
    }

    @Test
    void anUnknownMagicIsAFinding() throws IOException {
        XenImage image = new XenImage();
        image.magic = 0x12345678;
        Files.write(core(), image.build());
        try (Guest guest = Guests.open(core())) {
            assertEquals(
                    List.of(Finding.damage("at offset 0x220: xch_magic: expected 0xf00febed or 0xf00febee, found"
                            + " 0x12345678;"
                            + " the frame table tells what kind of guest it is")),
                    guest.findings());
        }
        try (FileBytes file = FileBytes.open(core())) {
            Check magic = new XenDumpCoreFormat().rules(file, false, Progress.none()).get(18);
            assertEquals("xen-19", magic.id());
            assertEquals(Check.Result.FAIL, magic.result());
            assertEquals("0xf00febee", magic.expected());
            assertEquals("0x12345678", magic.found());
        }
    }

    @Test
    void otherFilesAreNotClaimed() throws IOException {
        XenDumpCoreFormat format = new XenDumpCoreFormat();
        assertEquals(Probe.no("not an ELF file"), probe(format, new byte[0]));
        assertEquals(Probe.no("not an ELF file"), probe(format, "hello, this is a text".getBytes()));
        byte[] executable = new XenImage().build();
        executable[16] = 2;
        assertEquals(Probe.no("an ELF file, but not a core"), probe(format, executable));
        try (FileBytes file = FileBytes.open(Samples.core("vbox/7.0.10-A"))) {
            assertEquals(Probe.no("an ELF core without sections"), format.probe(file));
        }
        assertEquals(
                Probe.exact("an ELF core with the section .xen_pages"), probe(format, new XenImage().build()));
    }

    private Probe probe(XenDumpCoreFormat format, byte[] bytes) throws IOException {
        Files.write(core(), bytes);
        try (FileBytes file = FileBytes.open(core())) {
            return format.probe(file);
        }
    }
}

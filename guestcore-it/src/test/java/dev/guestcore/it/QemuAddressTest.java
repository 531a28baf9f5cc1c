package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.MappingSummary;
import dev.guestcore.address.Translation;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.kernel.Derived;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Our list of all mapped pages is, line by line, what QEMU's monitor prints as {@code info tlb}. */
class QemuAddressTest {

    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);

    @ParameterizedTest
    @CsvSource({
        "two-level, qemu32, TWO_LEVEL",
        "two-level, qemu64, TWO_LEVEL",
        "pae, qemu64, PAE",
        "pae, max, PAE",
        "five-level, 'max,la57=on', FIVE_LEVEL"
    })
    void everyPageOfABootSector(String image, String cpu, X86PagingMode mode) {
        try (QemuGuest qemu = QemuGuest.bootSector(image, cpu);
                Guest guest = Guests.open(qemu.location())) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            assertEquals(mode, space.paging().mode());
            assertSameAsMonitor(qemu, space, 300);
        }
    }

    @Test
    void everyPageOfTheKnownState() {
        try (QemuGuest qemu = QemuGuest.knownState("pc", "qemu64", "64M");
                Guest guest = Guests.open(qemu.location())) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            assertEquals(X86PagingMode.FOUR_LEVEL, space.paging().mode());
            assertSameAsMonitor(qemu, space, 1536);
        }
    }

    @Test
    void linuxIsTranslatedSearchedAndRecognized() {
        String needle = "GUESTCORE-NEEDLE-" + UUID.randomUUID();
        try (QemuGuest qemu = QemuGuest.linux(needle);
                Guest guest = Guests.open(qemu.location())) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            assertEquals(X86PagingMode.FOUR_LEVEL, space.paging().mode());
            assertSameAsMonitor(qemu, space, 5_000);

            List<Long> found = new ArrayList<>();
            SearchPattern pattern = SearchPattern.text(needle, List.of(StandardCharsets.US_ASCII));
            MemorySearch.of(pattern).physical(guest.memory(), hit -> found.add(hit.address()), Progress.none());
            assertTrue(found.size() >= 4, "needle found " + found.size() + " times");

            KernelFacts facts = KernelFacts.search(guest, Progress.none());
            assertTrue(facts.banner().orElseThrow().value().startsWith("Linux version "));
            assertEquals(
                    Derived.Confidence.CERTAIN, facts.release().orElseThrow().confidence());
            assertTrue(facts.vmcoreInfo().isPresent());
            // The kernel's note and the page tables lead to the same place.
            Derived<Long> base = facts.physicalBase().orElseThrow();
            assertEquals(Derived.Confidence.CERTAIN, base.confidence(), base.how());
            Derived<Long> offset = facts.kaslrOffset().orElseThrow();
            assertEquals(Derived.Confidence.CERTAIN, offset.confidence(), offset.how());
            KernelFacts seen = KernelFacts.glance(guest);
            assertEquals(base.value(), seen.physicalBase().orElseThrow().value());
            assertEquals(offset.value(), seen.kaslrOffset().orElseThrow().value());
            assertEquals(facts.banner().orElseThrow().value(), seen.banner().orElseThrow().value());
        }
    }

    private static void assertSameAsMonitor(QemuGuest qemu, AddressSpace space, int least) {
        Iterator<String> expected =
                qemu.monitor("info tlb")
                        .lines()
                        .map(QemuAddressTest::withoutNoExecute)
                        .filter(line -> !line.isEmpty())
                        .iterator();
        int[] count = {0};
        AddressSpace.PieceConsumer comparison = (virtual, physical, size, pageSize, repeated) -> {
            for (long done = 0; done < size; done += pageSize) {
                assertTrue(expected.hasNext(), () -> "QEMU has no 0x" + Long.toHexString(virtual));
                assertEquals(expected.next(), line(space, virtual + done, pageSize));
                count[0]++;
            }
        };
        MappingSummary summary = space.pieces(EVERYTHING, AddressSpace.MOST_TABLES, comparison);
        assertFalse(expected.hasNext(), "QEMU lists more");
        assertTrue(summary.isComplete());
        assertTrue(count[0] >= least, "only " + count[0] + " pages were compared");
    }

    /** In PAE mode QEMU prints bit 63 of the entry as part of the page's address. */
    private static String withoutNoExecute(String line) {
        String stripped = line.strip();
        return stripped.replace(": 80000", ": 00000");
    }

    /** A line of {@code info tlb}: address, page, and nine flags of the last entry; P stands for a large page. */
    private static String line(AddressSpace space, long virtual, long pageSize) {
        Translation translation = space.translate(virtual);
        assertEquals(pageSize, translation.span());
        long entry = translation.steps().getLast().entry();
        StringBuilder flags = new StringBuilder();
        int[] bits = {63, 8, 7, 6, 5, 4, 3, 2, 1};
        for (int i = 0; i < bits.length; i++) {
            boolean pageAttribute = bits[i] == 7 && pageSize == 4096;
            flags.append((entry >>> bits[i] & 1) != 0 && !pageAttribute ? "XGPDACTUW".charAt(i) : '-');
        }
        return "%016x: %016x %s".formatted(virtual, translation.physical().orElseThrow().value(), flags);
    }
}

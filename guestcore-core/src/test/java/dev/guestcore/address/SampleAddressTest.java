package dev.guestcore.address;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.kernel.Derived;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Virtual memory of guests that hypervisors dumped, against what the guests themselves said about it. */
class SampleAddressTest {

    private static final int PAGE = 4096;
    private static final String LINUX = "PROBE cpu=0 page=%d needle-in-guest-memory-8807d986\0";
    private static final String MINI = "MINIPV needle-in-guest-memory-8807d986 page %d\0";

    private static void assertProbe(AddressSpace space, long virtual, String probe, int page, long pfn) {
        Translation translation = space.translate(virtual);
        assertEquals(
                Optional.of(new PhysicalAddress(PhysicalAddress.Space.GUEST, pfn * PAGE)), translation.guestPhysical());
        byte[] bytes = new byte[PAGE];
        space.memory().read(virtual, MemorySegment.ofArray(bytes));
        byte[] text = probe.formatted(page).getBytes(StandardCharsets.US_ASCII);
        for (int j = 0; j < PAGE; j++) {
            byte expected = j < text.length ? text[j] : (byte) (j * 7 + page * 13 + (j >> 8));
            assertEquals(expected, bytes[j], "page " + page + " byte " + j);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "xen/pv64-mini, FOUR_LEVEL, ffffffff80000000, 108",
        "xen/pv32-mini, PAE, c0000000, 107"
    })
    void paravirtualizedMiniGuests(String sample, X86PagingMode mode, String base, String firstPfn) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            long start = Long.parseUnsignedLong(base, 16);
            long pfn = Long.parseLong(firstPfn, 16);
            for (Vcpu vcpu : guest.vcpus()) {
                AddressSpace space = AddressSpace.of(guest, vcpu);
                assertEquals(mode, space.paging().mode());
                assertEquals(PhysicalAddress.Space.MACHINE, space.physicalSpace());
                for (int page = 0; page < 4; page++) {
                    assertProbe(space, start + (pfn + page) * PAGE, MINI, page, pfn + page);
                }
                Translation code = space.translate(vcpu.registers().get(X86.RIP));
                assertEquals(
                        vcpu.registers().get(X86.RIP) - start,
                        code.guestPhysical().orElseThrow().value());
                List<Long> found = new ArrayList<>();
                SearchPattern needle = SearchPattern.text(MINI.formatted(2), List.of(StandardCharsets.US_ASCII));
                MemorySearch.of(needle).virtual(space, hit -> found.add(hit.address()), Progress.none());
                assertTrue(found.contains(start + (pfn + 2) * PAGE), found.toString());
            }
        }
    }

    @Test
    void paravirtualizedLinux() {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-1"))) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            Matcher probes = Pattern.compile("PROBE pid=101 cpu=0 page=(\\d) vaddr=0x(\\w+) pagemap=\\w+ pfn=0x(\\w+)")
                    .matcher(Samples.text("xen/pv64-1", "truth.txt"));
            int count = 0;
            while (probes.find()) {
                assertProbe(
                        space,
                        Long.parseLong(probes.group(2), 16),
                        LINUX,
                        Integer.parseInt(probes.group(1)),
                        Long.parseLong(probes.group(3), 16));
                count++;
            }
            assertEquals(4, count);
            List<Mapping> mappings = new ArrayList<>();
            MappingSummary summary = space.mappings(mappings::add);
            assertTrue(summary.stoppedAt().isEmpty());
            assertTrue(mappings.stream().anyMatch(mapping -> mapping.range().contains(0x7000_0000_0000L)));

            KernelFacts facts = KernelFacts.glance(guest);
            assertEquals("6.1.0-56-amd64", facts.release().orElseThrow().value());
            assertTrue(facts.banner().orElseThrow().value().startsWith("Linux version 6.1.0-56-amd64 ("));
            // Xen loads a PV kernel where it was linked, from pseudo-physical address 0 on.
            assertEquals(0L, facts.kaslrOffset().orElseThrow().value());
            assertEquals(0L, facts.physicalBase().orElseThrow().value());
            assertEquals(
                    Derived.Confidence.LIKELY, facts.physicalBase().orElseThrow().confidence());
        }
    }

    @ParameterizedTest
    @CsvSource({"vbox/real/p1-bios-8m-1cpu", "vbox/real/p2-bios-72m-2cpu-high", "vbox/real/p3-ich9-4m-avx-iem"})
    void virtualBoxGuestsMapTheirMemoryToItself(String sample) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            for (Vcpu vcpu : guest.vcpus()) {
                AddressSpace space = AddressSpace.of(guest, vcpu);
                assertEquals(X86PagingMode.FOUR_LEVEL, space.paging().mode());
                assertEquals(0x10000, space.root().value());
                List<String> lines = new ArrayList<>();
                space.mappings(mapping -> lines.add(mapping.range() + " " + mapping.rights() + " "
                        + Long.toHexString(mapping.pageSize()) + " " + mapping.contiguous()));
                assertEquals(
                        List.of("0x0-0x3fffffff rwx-- 200000 true", "0xc0000000-0x13fffffff rwx-- 200000 true"), lines);
                assertEquals(
                        0x200008L,
                        space.translate(0x200008).physical().orElseThrow().value());
                assertEquals(Translation.Outcome.NOT_PRESENT, space.translate(0x4000_0000L).outcome());
            }
            assertEquals(Optional.empty(), KernelFacts.glance(guest).system());
        }
    }

    @Test
    void protectedModeWithoutPaging() {
        try (Guest guest = Guests.open(Samples.core("xen/pvh-mini"))) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            assertEquals(X86PagingMode.NONE, space.paging().mode());
            assertEquals(0x100037L, space.translate(0x100037).guestPhysical().orElseThrow().value());
            KernelFacts facts = KernelFacts.search(guest, Progress.none());
            assertEquals(Optional.empty(), facts.system());
            assertEquals(Optional.empty(), facts.physicalBase());
        }
    }

    @Test
    void frameTablesTurnAround() {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-mini"))) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            PhysicalAddress console = new PhysicalAddress(PhysicalAddress.Space.MACHINE, 0x13d316L * PAGE + 5);
            assertEquals(0x116L * PAGE + 5, space.guestPhysical(console).orElseThrow().value());
            assertFalse(space.guestPhysical(new PhysicalAddress(PhysicalAddress.Space.MACHINE, 0x7fbb7000L))
                    .isPresent());
            assertThrows(
                    VirtualAccessException.class,
                    () -> space.memory().read(0x1234_5000L, MemorySegment.ofArray(new byte[1])));
        }
    }
}

package dev.guestcore.address;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.kernel.Derived;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Linux guests of QEMU: their page tables against the memory map that the monitor showed. */
@Tag("slow")
class ArchitectureSamplesTest {

    private static final Pattern RANGE =
            Pattern.compile("\\s+([0-9a-f]{16})-([0-9a-f]{16}) \\(prio 0, (\\S+)\\): (.*)");

    static List<String> samples() {
        return Samples.ARCHITECTURES;
    }

    /** A range of the machine's memory map. */
    private record Range(AddressRange range, String kind, String name) {}

    private static List<Range> map(String sample) {
        List<Range> ranges = new ArrayList<>();
        String name = sample.substring(sample.indexOf('/') + 1);
        Matcher matcher = RANGE.matcher(Samples.text("arch", name + ".mtree.txt"));
        while (matcher.find()) {
            AddressRange range = new AddressRange(
                    Long.parseUnsignedLong(matcher.group(1), 16), Long.parseUnsignedLong(matcher.group(2), 16));
            if (!matcher.group(4).equals("io")) {
                ranges.add(new Range(range, matcher.group(3), matcher.group(4)));
            }
        }
        return ranges;
    }

    /** A driver may map 64 KiB for a device that has less. */
    private static boolean isIn(AddressRange piece, Range range) {
        long last = range.kind().equals("i/o")
                ? Math.max(range.range().last(), range.range().first() + 0xffff)
                : range.range().last();
        return range.range().first() <= piece.first() && piece.last() <= last;
    }

    /** riscv64's kernel maps 4 MiB for the device tree, which QEMU puts into the last 2 MiB of memory. */
    private static boolean isBehindDeviceTree(String sample, AddressRange piece) {
        return sample.equals("arch/riscv64") && piece.equals(AddressRange.ofSize(0x9000_0000L, 2 << 20));
    }

    private static AddressSpaceChoice choice(Guest guest) {
        return AddressSpaceChoice.of(
                guest, guest.vcpus().stream().findFirst(), TranslationOptions.defaults(), Progress.none());
    }

    @ParameterizedTest
    @MethodSource("samples")
    void everyMappedRangeIsOneOfTheMachine(String sample) {
        List<Range> machine = map(sample);
        try (Guest guest = Guests.open(Samples.core(sample))) {
            assertEquals(
                    machine.stream().filter(range -> range.kind().equals("ram") || range.kind().equals("rom"))
                            .map(Range::range).toList(),
                    guest.memory().regions().stream().map(MemoryRegion::range).toList());
            AddressSpaceChoice choice = choice(guest);
            assertEquals(Derived.Confidence.CERTAIN, choice.confidence());
            long[] pages = {0};
            MappingSummary summary = choice.space().pieces(
                    new AddressRange(0, -1L), AddressSpace.MOST_TABLES,
                    (virtual, physical, size, pageSize, repeated) -> {
                        long length = repeated ? pageSize : size;
                        AddressRange piece = AddressRange.ofSize(physical, length);
                        assertTrue(
                                isBehindDeviceTree(sample, piece)
                                        || machine.stream().anyMatch(range -> isIn(piece, range)),
                                () -> Long.toHexString(virtual) + " leads to " + piece
                                        + ", where the machine has nothing");
                        pages[0] += size >>> 12;
                    });
            assertTrue(summary.isComplete(), summary::toString);
            assertEquals(0, summary.reservedEntries());
            // Linux maps all of its memory.
            assertTrue(pages[0] > 256 << 8, "only " + pages[0] + " pages");
        }
    }

    /** Addresses of the console's list of symbols, and what the text behind begins with. */
    @ParameterizedTest
    @CsvSource({
        "arch/arm64, ffffa9465cfc4250, Linux version 6.12.117",
        "arch/riscv64, ffffffff81149320, Linux version 6.12.117"
    })
    void theBannerIsWhereTheSymbolSays(String sample, String address, String text) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            String banner = choice(guest).space().memory().readString(Long.parseUnsignedLong(address, 16), 256);
            assertTrue(banner.startsWith(text), banner);
        }
    }

    /** Each vCPU's stack lies in memory that is mapped and can be written. */
    @ParameterizedTest
    @CsvSource({"arch/arm64, sp", "arch/riscv64, sp", "arch/s390x, r15"})
    void stacksAreMapped(String sample, String pointer) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            AddressSpace space = choice(guest).space();
            guest.vcpus().forEach(vcpu -> {
                long stack = vcpu.registers().get(guest.architecture().register(pointer).orElseThrow());
                Translation translation = space.translate(stack);
                assertTrue(translation.isMapped(), translation::toString);
                assertTrue(translation.rights().orElseThrow().writable(), translation::toString);
            });
        }
    }
}

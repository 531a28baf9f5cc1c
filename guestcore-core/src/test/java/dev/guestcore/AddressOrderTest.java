package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.SignedAddresses;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Addresses are unsigned: no class of the library compares or sorts them otherwise. */
class AddressOrderTest {

    /**
     * Where longs are compared as what they are: classes whose {@code Extents} hold page numbers (below 2^52) or places in a
     * file, made-up machines below 8 GiB, and numbers that are no addresses.
     */
    private static final List<String> NO_ADDRESSES = List.of(
            // places in a file
            "FileBytes.",
            "StoredRuns.",
            "PageTable$Part.",
            "SegmentFeed.",
            "ManifestReader.segment",
            // page numbers
            "KdumpPlan.",
            "PagePump.",
            // below 4 GiB by what they model, and 8 GiB
            "PcMemoryMap.",
            "Firmware.",
            "PhysicalMemory$Bank.",
            // numbers of processors
            "DeviceSections.cpus");

    @Test
    void noClassTakesAnAddressForASignedNumber() throws Exception {
        Path classes = Path.of(
                AddressRange.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        List<String> wrong = SignedAddresses.in(classes).stream()
                .filter(line -> NO_ADDRESSES.stream().noneMatch(line::startsWith))
                .toList();
        assertEquals(
                List.of(), wrong,
                "addresses are unsigned: Long.compareUnsigned; what is none is named in NO_ADDRESSES");
    }

    /** Every way to get it wrong that was found in this library, or that is near. */
    @SuppressWarnings("unused")
    private static final class Wrong {
        private final TreeMap<Long, String> byAddress = new TreeMap<>();

        static boolean operator(AddressRange left, long address) {
            return left.first() < address;
        }

        static long lower(long address, long limit) {
            return Math.min(address + 1, limit);
        }

        static int compare(AddressRange left, AddressRange right) {
            return Long.compare(left.last(), right.last());
        }

        static Comparator<AddressRange> reference() {
            return Comparator.comparingLong(AddressRange::first);
        }

        static Comparator<AddressRange> boxedReference() {
            return Comparator.comparing(AddressRange::first);
        }

        static boolean signOfDifference(AddressRange range, long address) {
            long behind = address - range.first();
            return behind >= 0;
        }

        static boolean stored(AddressRange range, long other) {
            long end = range.last() + 1;
            return other > end;
        }

        static boolean aligned(Optional<AddressRange> range, long limit) {
            long page = range.orElseThrow().first() & -4096;
            return limit <= page;
        }

        static long highest(List<AddressRange> ranges) {
            return ranges.stream().mapToLong(AddressRange::last).filter(last -> last != 0).max().orElse(0);
        }
    }

    @SuppressWarnings("unused")
    private static final class Right {
        static boolean same(long address, AddressRange range) {
            return address == range.first() || Long.compareUnsigned(address, range.last()) > 0;
        }

        static boolean inPage(long address, int size) {
            return (address & 4095) + size > 4096;
        }

        static boolean atLeast(AddressRange range, long wanted) {
            return range.last() - range.first() >= wanted;
        }

        static Comparator<AddressRange> sorted() {
            return Comparator.comparing(AddressRange::first, Long::compareUnsigned);
        }
    }

    @Test
    void everyWayToGetItWrongIsFound() throws Exception {
        List<String> found = found(Wrong.class);
        for (String method : List.of(
                "operator", "lower", "compare", "reference", "boxedReference", "signOfDifference", "stored", "aligned",
                "highest", "byAddress")) {
            assertTrue(
                    found.stream().anyMatch(line -> line.startsWith("AddressOrderTest$Wrong." + method + ":")),
                    method + " among " + found);
        }
        assertEquals(List.of(), found(Right.class));
    }

    private static List<String> found(Class<?> type) throws IOException {
        try (InputStream in = type.getResourceAsStream(type.getName().replaceAll(".*\\.", "") + ".class")) {
            return SignedAddresses.in(in.readAllBytes());
        }
    }
}

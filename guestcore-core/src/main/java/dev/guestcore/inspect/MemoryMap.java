package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Provenance;
import dev.guestcore.internal.text.Amounts;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;
import java.util.TreeSet;

/**
 * The picture of guest-physical memory as data: what lies where, from address 0 on, with holes between. Bounded: of a
 * memory with many regions, neighbours are put together. {@link TextMap} and {@link SvgMap} draw it.
 *
 * @param title which guest it is: the name of its file or source
 * @param origin hypervisor and time of the capture, as far as they are known; may be empty
 * @param rows areas and holes, ascending, without gaps
 * @param summary totals; page states are not looked at
 * @param isScanned whether areas say how full they are
 */
public record MemoryMap(String title, String origin, List<Row> rows, MemorySummary summary, boolean isScanned) {

    /** At most so many areas are in a picture. */
    public static final int MOST_AREAS = 200;

    /** Copies the list; takes out of the texts what could steer a terminal. */
    public MemoryMap {
        title = Labels.clean(title);
        origin = Labels.clean(origin);
        rows = List.copyOf(rows);
    }

    /** Whether areas say how much of them changed. */
    public boolean isCompared() {
        return rows.stream().anyMatch(row -> row instanceof Area area && area.changes().isPresent());
    }

    /** A piece of the address space. */
    public sealed interface Row {

        /** Its addresses. */
        AddressRange range();
    }

    /** Addresses at which nothing answers. */
    public record Hole(AddressRange range) implements Row {}

    /**
     * A region, or several neighbours.
     *
     * @param range from the first address to the last one, holes between put-together regions included
     * @param bytes bytes of each kind that is there
     * @param regionCount how many regions, at least 1
     * @param name the source's name of a single region, without control characters; else empty
     * @param scan what a scan found
     * @param changes what a comparison with another guest found
     */
    public record Area(
            AddressRange range,
            Map<MemoryRegion.Kind, Long> bytes,
            long regionCount,
            String name,
            Optional<RegionScan> scan,
            Optional<AreaChanges> changes)
            implements Row {

        /** Makes the map immutable; takes out of the name what could steer a terminal. */
        public Area {
            name = Labels.clean(name);
            bytes = Collections.unmodifiableMap(new EnumMap<>(bytes));
        }

        /** The same area after a comparison. */
        Area with(AreaChanges found) {
            return new Area(range, bytes, regionCount, name, scan, Optional.of(found));
        }

        /** The kind that has the most bytes. */
        public MemoryRegion.Kind kind() {
            return bytes.entrySet().stream()
                    .max(Map.Entry.<MemoryRegion.Kind, Long>comparingByValue()
                            .thenComparing(Map.Entry.comparingByKey(Comparator.reverseOrder())))
                    .orElseThrow()
                    .getKey();
        }

        /** Bytes of all its regions together. */
        public long size() {
            return bytes.values().stream().reduce(0L, Pages::add);
        }

        /** The name, or for put-together regions their number. */
        public String label() {
            return regionCount == 1 ? name : Amounts.counted(regionCount, "region");
        }
    }

    /** The map of a guest. */
    public static MemoryMap of(Guest guest) {
        return of(title(guest.provenance()), guest.memory(), Optional.empty()).from(origin(guest.provenance()));
    }

    /** The map of a guest whose memory was scanned, so that it shows how full each area is. */
    public static MemoryMap of(Guest guest, MemoryScan scan) {
        return of(title(guest.provenance()), guest.memory(), Optional.of(scan)).from(origin(guest.provenance()));
    }

    /** The map of a memory, with a title and perhaps a scan. */
    public static MemoryMap of(String title, GuestMemory memory, Optional<MemoryScan> scan) {
        List<RegionScan> scans = scan.map(MemoryScan::regions).orElse(List.of());
        List<MemoryRegion> regions = memory.regions();
        if (scans.size() != regions.size()) {
            scans = List.of();
        }
        TreeSet<Integer> starts = regions.size() <= MOST_AREAS ? new TreeSet<>() : startsOfAreas(regions);
        List<Row> rows = new ArrayList<>();
        AreaCollector area = new AreaCollector();
        long next = 0;
        int index = 0;
        for (MemoryRegion region : regions) {
            boolean startsArea = regions.size() <= MOST_AREAS || starts.contains(index);
            if (startsArea) {
                area.moveTo(rows);
                if (region.range().first() != next) {
                    rows.add(new Hole(new AddressRange(next, region.range().first() - 1)));
                }
            }
            area.add(region, scans.isEmpty() ? Optional.empty() : Optional.of(scans.get(index)));
            next = region.range().last() + 1;
            index++;
        }
        area.moveTo(rows);
        return new MemoryMap(title, "", rows, MemorySummary.of(memory, 0), !scans.isEmpty());
    }

    private MemoryMap from(String known) {
        return new MemoryMap(title, known, rows, summary, isScanned);
    }

    /** The same map under another title. */
    MemoryMap titled(String other, String known) {
        return new MemoryMap(other, known, rows, summary, isScanned);
    }

    /** The name without its folder, and of a live source all of it. */
    static String title(Provenance provenance) {
        if (provenance.format().equals("memory")) {
            // Built by a program, and so without a name.
            return "Guest";
        }
        String source = provenance.source();
        String name = source.substring(source.lastIndexOf('/') + 1);
        return source.matches("[a-z]+:.*") || name.isEmpty() ? source : name;
    }

    /** "QEMU 7.2, captured 2023-11-14 22:13:20 UTC". */
    static String origin(Provenance provenance) {
        String hypervisor = provenance
                .hypervisor()
                .map(name -> name + provenance.hypervisorVersion().map(version -> " " + version).orElse(""))
                .orElse("");
        String time = provenance
                .takenAt()
                .map(taken -> "captured " + taken.truncatedTo(ChronoUnit.SECONDS).toString().replace("T", " ")
                        .replace("Z", " UTC"))
                .orElse("");
        return hypervisor.isEmpty() || time.isEmpty() ? hypervisor + time : hypervisor + ", " + time;
    }

    /** Where a new area begins: behind the longest holes, and otherwise after every so many regions. */
    private static TreeSet<Integer> startsOfAreas(List<MemoryRegion> regions) {
        record Gap(long bytes, int before) {}
        int half = MOST_AREAS / 2;
        Comparator<Gap> shortestFirst = (left, right) -> Long.compareUnsigned(left.bytes, right.bytes);
        PriorityQueue<Gap> longest = new PriorityQueue<>(shortestFirst);
        long span = regions.getLast().range().last() - regions.getFirst().range().first();
        long worthIt = span >>> 10;
        long end = regions.getFirst().range().first();
        int index = 0;
        for (MemoryRegion region : regions) {
            Gap gap = new Gap(region.range().first() - end, index);
            if (Long.compareUnsigned(gap.bytes, worthIt) > 0) {
                longest.add(gap);
                if (longest.size() >= half) {
                    longest.remove();
                }
            }
            end = region.range().last() + 1;
            index++;
        }
        TreeSet<Integer> starts = new TreeSet<>();
        longest.forEach(gap -> starts.add(gap.before));
        for (int part = 0; part < half; part++) {
            starts.add((int) ((long) part * regions.size() / half));
        }
        return starts;
    }

    /** Puts regions together to an area. */
    private static final class AreaCollector {

        private final Map<MemoryRegion.Kind, Long> bytes = new EnumMap<>(MemoryRegion.Kind.class);
        private long first;
        private long last;
        private long regionCount;
        private long present;
        private long zero;
        private long missing;
        private String name = "";
        private Optional<RegionScan> scan = Optional.empty();

        void add(MemoryRegion region, Optional<RegionScan> found) {
            if (regionCount == 0) {
                first = region.range().first();
                name = region.name();
                scan = found;
            } else {
                name = "";
                scan = found.map(more -> new RegionScan(
                        present + more.presentPages(),
                        zero + more.zeroPages(),
                        missing + more.missingPages(),
                        List.of()));
            }
            scan.ifPresent(sum -> {
                present = sum.presentPages();
                zero = sum.zeroPages();
                missing = sum.missingPages();
            });
            bytes.merge(region.kind(), Pages.size(region.range()), Pages::add);
            last = region.range().last();
            regionCount++;
        }

        void moveTo(List<Row> rows) {
            if (regionCount == 0) {
                return;
            }
            rows.add(new Area(new AddressRange(first, last), bytes, regionCount, name, scan, Optional.empty()));
            bytes.clear();
            regionCount = 0;
        }
    }
}

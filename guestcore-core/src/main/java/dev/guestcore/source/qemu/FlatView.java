package dev.guestcore.source.qemu;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.error.SourceException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Reads what QEMU's monitor prints for {@code info mtree -f}: the flat views of all address spaces, as in
 *
 * <pre>
 * FlatView #2
 *  AS "memory", root: system
 *  AS "cpu-memory-0", root: system
 *  Root memory region: system
 *   0000000000000000-000000000009ffff (prio 0, ram): pc.ram
 *   00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem
 *   0000000100000000-000000013fffffff (prio 0, ram): pc.ram @00000000c0000000
 * </pre>
 *
 * <p>Bounds are inclusive; the number behind the @ is the offset in the memory region. Under KVM " KVM" ends the lines
 * that the kernel knows.
 */
final class FlatView {

    /** Many times what machines with hundreds of memory modules have. */
    static final int MOST_REGIONS = 4096;

    /** The processors' own limit: physical addresses have 52 bits. */
    private static final long ADDRESS_LIMIT = 1L << 52;

    private static final Pattern SPACE = Pattern.compile("^\\s*AS \"([^\"]*)\".*");
    private static final Pattern LINE = Pattern.compile("^\\s*([0-9a-fA-F]{1,16})-([0-9a-fA-F]{1,16})"
            + " \\(prio -?\\d+, ([^)]*)\\): (.*?)(?: @([0-9a-fA-F]{1,16}))?(?: KVM)*$");

    /** Characters of a line with a name in it; a longer one is none of QEMU's, and would take a pattern too long. */
    static final int LONGEST_LINE = 1000;

    /** Characters of what the monitor said that an error shows. */
    private static final int SHOWN = 200;

    /**
     * A region and what it shows.
     *
     * @param region its name is that of the memory region that it shows
     * @param offset where in that memory region it begins
     */
    record Mapping(MemoryRegion region, long offset) {}

    private FlatView() {}

    /**
     * The regions of the guest's physical memory, ascending.
     *
     * @throws SourceException if the text has no such view
     */
    static List<MemoryRegion> parse(String text) {
        return mappings(text).stream().map(Mapping::region).toList();
    }

    /**
     * The regions of the guest's physical memory and what they show, ascending.
     *
     * @throws SourceException if the text has no such view
     */
    static List<Mapping> mappings(String text) {
        List<Mapping> byMemory = null;
        List<Mapping> byFirstCpu = null;
        boolean memory = false;
        boolean firstCpu = false;
        List<Mapping> found = new ArrayList<>();
        for (String line : (Iterable<String>) text.lines()::iterator) {
            if (line.length() > LONGEST_LINE) {
                continue;
            }
            if (line.startsWith("FlatView #")) {
                memory = false;
                firstCpu = false;
                found = new ArrayList<>();
                continue;
            }
            Matcher space = SPACE.matcher(line);
            if (space.matches()) {
                memory |= isNamed("memory", space.group(1));
                firstCpu |= isNamed("cpu-memory-0", space.group(1));
            } else if (memory || firstCpu) {
                addRegion(line, found);
            }
            if (memory && !found.isEmpty()) {
                byMemory = found;
            } else if (firstCpu && !found.isEmpty()) {
                byFirstCpu = found;
            }
        }
        List<Mapping> regions = byMemory != null ? byMemory : byFirstCpu;
        if (regions == null) {
            throw new SourceException("QEMU's monitor printed no flat view of the address space \"memory\" for"
                    + " `info mtree -f`; found: " + QmpClient.printable(text, SHOWN));
        }
        for (int i = 1; i < regions.size(); i++) {
            MemoryRegion before = regions.get(i - 1).region();
            MemoryRegion region = regions.get(i).region();
            if (Long.compareUnsigned(region.range().first(), before.range().last()) <= 0) {
                throw new SourceException(
                        "QEMU's flat view is not in ascending order: " + before + " before " + region);
            }
        }
        return List.copyOf(regions);
    }

    /** Later QEMU versions may print the whole path of an address space. */
    private static boolean isNamed(String name, String found) {
        return found.equals(name) || found.endsWith("/" + name);
    }

    private static void addRegion(String line, List<Mapping> regions) {
        Matcher matcher = LINE.matcher(line);
        if (!matcher.matches()) {
            return;
        }
        long first = Long.parseUnsignedLong(matcher.group(1), 16);
        long last = Long.parseUnsignedLong(matcher.group(2), 16);
        if (Long.compareUnsigned(first, last) > 0) {
            throw new SourceException("QEMU's flat view has a range that ends before it starts: "
                    + QmpClient.printable(line.strip(), SHOWN));
        }
        MemoryRegion region = new MemoryRegion(
                new AddressRange(first, last), kind(matcher.group(3)), QmpClient.printable(matcher.group(4), SHOWN));
        if (region.hasContent() && Long.compareUnsigned(last, ADDRESS_LIMIT) >= 0) {
            throw new SourceException("QEMU's flat view has memory at addresses of more than 52 bits, which no"
                    + " processor has: " + QmpClient.printable(line.strip(), SHOWN));
        }
        if (regions.size() == MOST_REGIONS) {
            throw new SourceException("QEMU's flat view has more than " + MOST_REGIONS + " regions");
        }
        String offset = matcher.group(5);
        regions.add(new Mapping(region, offset == null ? 0 : Long.parseUnsignedLong(offset, 16)));
    }

    private static MemoryRegion.Kind kind(String text) {
        return switch (text) {
            case "ram", "nv-ram" -> MemoryRegion.Kind.RAM;
            // "romd" is a flash chip while it reads like a ROM.
            case "rom", "nv-rom", "romd", "nv-romd" -> MemoryRegion.Kind.ROM;
            // "ramd" is the memory of a passed-through device: to read it may change the device.
            default -> MemoryRegion.Kind.DEVICE;
        };
    }
}

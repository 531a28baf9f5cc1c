package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Mapping;
import dev.guestcore.address.MappingSummary;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.cpu.Paging;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.json.Json;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Prints what page tables map, as it is found: there may be millions of ranges. Not thread-safe. */
final class MappingList {

    private static final String SCHEMA = "map-virtual";
    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);
    private static final int RANGES_PER_FLUSH = 256;
    private static final int RANGE_WIDTH = 37;
    private static final int SIZE_WIDTH = 9;
    private static final int PAGE_WIDTH = 5;
    private static final int RIGHTS_WIDTH = 6;

    private final Console console;
    private final boolean json;
    private long ranges;
    private BigInteger bytes = BigInteger.ZERO;

    MappingList(Console console, boolean json) {
        this.console = console;
        this.json = json;
    }

    /** Prints the mapped ranges and gives the exit code. */
    int print(AddressSpace space, Optional<AddressRange> range) {
        if (!json) {
            Paging paging = space.paging();
            Style style = console.style();
            String root = roots(space);
            line(style.heading(paging.mode().title()) + " (" + paging.how() + ")" + root);
            line(style.faint(row("virtual addresses", "size", "page", "rights", space.physicalSpace().title())));
        }
        MappingSummary summary = space.mappings(range.orElse(EVERYTHING), AddressSpace.MOST_TABLES, this::print);
        finish(summary);
        // Tables that a dump lacks are no failure: Xen keeps its own in frames that are not the guest's.
        boolean nothingSeen = ranges == 0 && summary.unreadableTables() > 0;
        return summary.stoppedAt().isPresent() || nothingSeen ? ExitCode.FAILED : ExitCode.DONE;
    }

    private static String roots(AddressSpace space) {
        List<String> roots = space.trees().stream()
                .filter(tree -> !tree.levels().isEmpty())
                .map(tree -> new PhysicalAddress(space.physicalSpace(), tree.table()).toString())
                .toList();
        return roots.isEmpty() ? "" : (roots.size() == 1 ? ", root at " : ", roots at ") + String.join(" and ", roots);
    }

    private void print(Mapping mapping) {
        ranges++;
        bytes = bytes.add(size(mapping.range()));
        if (json) {
            Json.writeLine(console.out(), Json.document(SCHEMA, json(mapping)));
        } else {
            line(row(
                    mapping.range().toString(),
                    Amounts.human(mapping.range()),
                    Amounts.human(mapping.pageSize()).replace("iB", "").replace(" ", ""),
                    mapping.rights().toString(),
                    Json.address(mapping.physical().value()) + (mapping.contiguous() ? "" : "…")));
        }
        if (ranges % RANGES_PER_FLUSH == 0) {
            console.flush();
            console.cancellation().check();
        }
    }

    private static BigInteger size(AddressRange range) {
        return new BigInteger(Long.toUnsignedString(range.last() - range.first())).add(BigInteger.ONE);
    }

    private static String row(String range, String size, String page, String rights, String physical) {
        return left(range, RANGE_WIDTH) + " " + right(size, SIZE_WIDTH) + " " + right(page, PAGE_WIDTH) + " "
                + left(rights, RIGHTS_WIDTH) + " " + physical;
    }

    private static String left(String text, int width) {
        return text + " ".repeat(Math.max(0, width - text.length()));
    }

    private static String right(String text, int width) {
        return " ".repeat(Math.max(0, width - text.length())) + text;
    }

    private void line(String text) {
        console.out().println(text);
    }

    private void finish(MappingSummary summary) {
        if (json) {
            Map<String, Object> totals = new LinkedHashMap<>();
            totals.put("ranges", ranges);
            totals.put("bytes", bytes.toString());
            totals.put("tables", summary.tables());
            totals.put("unreadableTables", summary.unreadableTables());
            totals.put("reservedEntries", summary.reservedEntries());
            summary.stoppedAt().ifPresent(address -> totals.put("stoppedAt", Json.address(address)));
            Json.writeLine(console.out(), Json.document(SCHEMA, Map.of("summary", totals)));
            return;
        }
        Style style = console.style();
        line(style.faint(Text.counted(ranges, "range") + " in " + Text.counted(summary.tables(), "table")));
        if (summary.reservedEntries() > 0) {
            line(style.odd("entries with reserved bits set: " + Amounts.count(summary.reservedEntries())));
        }
        if (summary.unreadableTables() > 0) {
            line(style.odd("tables that the source does not have: " + Amounts.count(summary.unreadableTables())));
        }
        summary.stoppedAt().ifPresent(address -> line(style.bad("gave up at " + Json.address(address) + ": more than "
                + Amounts.count(AddressSpace.MOST_TABLES)
                + " tables; they refer to each other, or are not page tables")));
    }

    private static Map<String, Object> json(Mapping mapping) {
        Map<String, Object> json = new LinkedHashMap<>(Json.range(mapping.range()));
        json.put("pageSize", mapping.pageSize());
        json.put("rights", TranslateVerb.json(mapping.rights()));
        json.put("physical", Json.address(mapping.physical().value()));
        json.put("physicalSpace", mapping.physical().space().title());
        json.put("contiguous", mapping.contiguous());
        return json;
    }
}

package dev.guestcore.inspect;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.internal.text.Amounts;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Draws a {@link MemoryMap} as a picture: a standalone SVG, dark or light as the viewer prefers. Addresses ascend from
 * top to bottom, and within the bar of an area from left to right; heights follow the logarithm of the size, so that a
 * page of device registers beside gigabytes of RAM can still be seen and named. The same map gives the same bytes.
 */
public final class SvgMap {

    private static final int WIDTH = 960;
    private static final int MARGIN = 40;
    private static final int ADDRESS_RIGHT = 182;
    private static final int BAR_LEFT = 200;
    private static final int BAR_WIDTH = 384;
    private static final int BAR_RIGHT = BAR_LEFT + BAR_WIDTH;
    private static final int LABEL_LEFT = BAR_RIGHT + 22;
    private static final int LABEL_RIGHT = WIDTH - MARGIN;
    private static final int HEADER = 156;
    private static final int FOOTER = 64;
    private static final int AREA_HEIGHT = 30;
    private static final int MOST_AREA_HEIGHT = 96;
    private static final int HOLE_HEIGHT = 26;
    private static final int BROKEN_HOLE_HEIGHT = 40;
    private static final long BROKEN_HOLE = 16L << 20;
    private static final int TWO_LINES = 44;
    private static final int NAME_CHARACTERS = 26;
    private static final int TITLE_CHARACTERS = 48;
    private static final int SHADES = 8;
    private static final int SMALLEST_LOG = Labels.logSixteenths(Pages.SIZE);

    private static final String STYLE =
            """
            <style>
              text {
                font-family: ui-sans-serif, system-ui, "Segoe UI", "Helvetica Neue", Arial, "DejaVu Sans", sans-serif;
                font-size: 13px; fill: #1c2430
              }
              .mono {
                font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 12px
              }
              .h1 { font-size: 23px; font-weight: 650 } .name { font-weight: 600 } .small { font-size: 11.5px }
              .end { text-anchor: end }
              .card { fill: #fbfaf7; stroke: #e2ded5 }
              .soft { fill: #667080 } .dim { fill: #b3b5b8 }
              .tick { stroke: #b9bcc0 } .side { stroke: #b9bcc0; stroke-dasharray: 2 4; fill: none }
              .torn { fill: none; stroke: #9aa1aa; stroke-width: 1.3; stroke-linejoin: round }
              .void { fill: #9aa1aa; fill-opacity: .1 }
              .RAM { fill: #2f6fde } .ROM { fill: #e39a1f } .DEVICE { fill: #8a63d2 } .base { fill-opacity: .17 }
              .hatch { stroke: #8a63d2; stroke-opacity: .55; stroke-width: 2.5 }
              .changed { fill: #d9480f } .lost { fill: #d33a3a } .seam { stroke: #fbfaf7; stroke-width: 2 }
              .tRAM { fill: #2259b8 } .tROM { fill: #8f5a00 } .tDEVICE { fill: #6b45b3 }
              @media (prefers-color-scheme: dark) {
                text { fill: #e8ebf0 } .card { fill: #12161d; stroke: #2a313c }
                .soft { fill: #9aa5b4 } .dim { fill: #4b5563 }
                .tick { stroke: #4b5563 } .side { stroke: #4b5563 } .torn { stroke: #6f7b8b } .void { fill: #6f7b8b }
                .RAM { fill: #5b95f5 } .ROM { fill: #f0b34a } .DEVICE { fill: #a98bea } .base { fill-opacity: .2 }
                .hatch { stroke: #a98bea; stroke-opacity: .6 }
                .changed { fill: #ff8a4c } .lost { fill: #f26a6a } .seam { stroke: #12161d }
                .tRAM { fill: #8db5f9 } .tROM { fill: #f0b34a } .tDEVICE { fill: #bfa7f2 }
              }
            </style>
            """;

    private final MemoryMap map;
    private final int addressDigits;
    private final StringBuilder svg = new StringBuilder();

    private SvgMap(MemoryMap map) {
        this.map = map;
        this.addressDigits = Labels.addressDigits(map);
    }

    /** The picture as an XML document, to be stored in UTF-8. */
    public static String render(MemoryMap map) {
        return new SvgMap(map).render();
    }

    private String render() {
        int height = HEADER + FOOTER;
        for (MemoryMap.Row row : map.rows()) {
            height += height(row);
        }
        begin(height);
        legend();
        int y = HEADER;
        for (MemoryMap.Row row : map.rows()) {
            switch (row) {
                case MemoryMap.Area area -> draw(area, y);
                case MemoryMap.Hole hole -> draw(hole, y);
            }
            y += height(row);
        }
        if (!map.rows().isEmpty()) {
            endAddress(y);
        }
        emit("<text class=\"soft small\" x=\"%d\" y=\"%d\">", BAR_LEFT, height - 22);
        svg.append("Heights follow the logarithm of size. Torn lines: holes of 16 MiB and more.</text>\n</svg>\n");
        return svg.toString();
    }

    private static int height(MemoryMap.Row row) {
        return switch (row) {
            case MemoryMap.Area area -> {
                int log = Math.max(0, Labels.logSixteenths(area.size()) - SMALLEST_LOG);
                yield Math.min(MOST_AREA_HEIGHT, AREA_HEIGHT + log * 5 / 2 / 16);
            }
            case MemoryMap.Hole hole -> isBroken(hole) ? BROKEN_HOLE_HEIGHT : HOLE_HEIGHT;
        };
    }

    private static boolean isBroken(MemoryMap.Hole hole) {
        return Pages.size(hole.range()) >= BROKEN_HOLE;
    }

    private void begin(int height) {
        svg.append("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        emit(
                """
                <svg xmlns="http://www.w3.org/2000/svg" width="%1$d" height="%2$d" viewBox="0 0 %1$d %2$d" role="img" \
                aria-labelledby="guestcore-map-title guestcore-map-description">
                """,
                WIDTH,
                height);
        svg.append("<title id=\"guestcore-map-title\">").append(escape(heading())).append("</title>\n");
        svg.append("<desc id=\"guestcore-map-description\">")
                .append(escape(TextMap.subtitle(map)))
                .append("; areas and holes in the order of their addresses.</desc>\n");
        svg.append(STYLE);
        emit(
                """
                <defs>
                <pattern id="guestcore-map-hatch" width="8" height="8" patternUnits="userSpaceOnUse" \
                patternTransform="rotate(45)"><line class="hatch" x1="4" y1="0" x2="4" y2="8"/></pattern>
                <path id="guestcore-map-tear" class="torn" d="%s"/>
                </defs>
                """,
                tear());
        emit(
                "<rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"%d\" height=\"%d\" rx=\"14\"/>\n",
                WIDTH - 1,
                height - 1);
        text(MARGIN, 58, "h1", escape(heading()));
        text(MARGIN, 82, "soft", escape(TextMap.subtitle(map)));
    }

    private String heading() {
        String of = Labels.cut(map.title(), TITLE_CHARACTERS, "…");
        // A scheme alone, such as "demo:", has its colon.
        String colon = of.endsWith(":") ? " " : ": ";
        return of + colon + (map.isCompared() ? "changed physical memory" : "physical memory");
    }

    /** A zigzag across the bar. */
    private static String tear() {
        StringBuilder path = new StringBuilder("M0 4");
        for (int step = 1; step <= BAR_WIDTH / 12; step++) {
            path.append(" L").append(step * 12).append(step % 2 == 0 ? " 4" : " -4");
        }
        return path.toString();
    }

    private void legend() {
        int x = BAR_LEFT;
        int y = 122;
        for (MemoryRegion.Kind kind : MemoryRegion.Kind.values()) {
            if (map.summary().total(kind).regionCount() > 0) {
                fill(x, y - 11, 14, 14, kind);
                text(x + 21, y, "", TextMap.plural(kind));
                x += kind == MemoryRegion.Kind.DEVICE ? 96 : 72;
            }
        }
        if (!map.isScanned() && !map.isCompared()) {
            return;
        }
        boolean compared = map.isCompared();
        text(LABEL_LEFT, y, "soft small", compared ? "changed pages: none" : "pages in use: none");
        int left = LABEL_LEFT + (compared ? 128 : 116);
        for (int shade = 0; shade <= SHADES; shade++) {
            boolean empty = shade == 0;
            String full = compared ? "changed" : "RAM";
            rectangle(empty ? "RAM base" : full, left + shade * 11, y - 11, 11, 14, empty ? "" : opacity(shade));
        }
        text(left + (SHADES + 1) * 11 + 8, y, "soft small", "all");
        if (compared) {
            return;
        }
        rectangle("lost", left + (SHADES + 1) * 11 + 36, y - 5, 14, 4);
        text(left + (SHADES + 1) * 11 + 56, y, "soft small", "missing");
    }

    private void draw(MemoryMap.Area area, int y) {
        int height = height(area);
        svg.append("<g><title>").append(escape(tooltip(area))).append("</title>\n");
        address(area.range().first(), y);
        if (area.changes().isPresent()) {
            rectangle(area.kind() + " base", BAR_LEFT, y, BAR_WIDTH, height);
            profile("changed", area.changes().get().profile(), area.changes().get().share(), y, height);
        } else if (area.bytes().size() == 1) {
            bar(area, y, height);
        } else {
            mixedBar(area, y, height);
        }
        long missing = area.scan().map(RegionScan::missingPages).orElse(0L);
        if (missing > 0) {
            double share = (double) missing / area.scan().orElseThrow().pages();
            rectangle("lost", BAR_LEFT, y + height - 6, Math.max(4, (int) Math.round(share * BAR_WIDTH)), 4);
        }
        seam(y);
        String name = Labels.cut(area.label(), NAME_CHARACTERS, "…");
        String kind = area.bytes().size() == 1
                ? TextMap.singular(area.kind())
                : area.bytes().keySet().stream().map(TextMap::plural).collect(Collectors.joining(", "));
        Optional<String> second = secondLine(area).filter(line -> height >= TWO_LINES);
        int baseline = y + height / 2 + (second.isPresent() ? -3 : 5);
        StringBuilder label = new StringBuilder();
        if (!name.isEmpty()) {
            label.append("<tspan class=\"name\">").append(escape(name)).append("</tspan>");
        }
        label.append("<tspan").append(name.isEmpty() ? "" : " dx=\"8\"");
        label.append(" class=\"small t").append(area.kind()).append("\">").append(kind).append("</tspan>");
        text(LABEL_LEFT, baseline, "", label.toString());
        text(LABEL_RIGHT, baseline, "mono end", Amounts.human(area.size()));
        second.ifPresent(line -> text(LABEL_LEFT, baseline + 17, "soft small", escape(line)));
        svg.append("</g>\n");
    }

    private static Optional<String> secondLine(MemoryMap.Area area) {
        if (area.changes().isPresent()) {
            return area.changes()
                    .filter(changes -> changes.changedPages() > 0)
                    .map(changes -> Amounts.counted(changes.changedPages(), "page") + " changed, "
                            + percent(changes.share()));
        }
        return area.scan().filter(scan -> scan.pages() > 0).map(scan -> {
            String inUse = percent(scan.density()) + " in use";
            return scan.missingPages() == 0
                    ? inUse
                    : inUse + ", " + percent((double) scan.missingPages() / scan.pages()) + " missing";
        });
    }

    /** Never 0 % for something, never 100 % for less than all. */
    private static String percent(double share) {
        if (share > 0 && share < 0.01) {
            return "under 1 %";
        }
        if (share > 0.99 && share < 1) {
            return "over 99 %";
        }
        return Math.round(share * 100) + " %";
    }

    private void bar(MemoryMap.Area area, int y, int height) {
        MemoryRegion.Kind kind = area.kind();
        Optional<RegionScan> scan = area.scan().filter(found -> found.pages() > 0);
        if (scan.isEmpty()) {
            fill(BAR_LEFT, y, BAR_WIDTH, height, kind);
            return;
        }
        rectangle(kind + " base", BAR_LEFT, y, BAR_WIDTH, height);
        profile(kind.name(), scan.get().profile(), scan.get().density(), y, height);
    }

    private void profile(String classes, List<Double> profile, double average, int y, int height) {
        int cells = Math.max(1, profile.size());
        int from = 0;
        while (from < cells) {
            int shade = shade(profile.isEmpty() ? average : profile.get(from));
            int to = from + 1;
            while (to < cells && shade(profile.get(to)) == shade) {
                to++;
            }
            if (shade > 0) {
                int left = BAR_LEFT + from * BAR_WIDTH / cells;
                int right = BAR_LEFT + to * BAR_WIDTH / cells;
                rectangle(classes, left, y, right - left, height, opacity(shade));
            }
            from = to;
        }
    }

    /** Several kinds in one area, beside each other as wide as they are large. */
    private void mixedBar(MemoryMap.Area area, int y, int height) {
        int left = BAR_LEFT;
        int kindsLeft = area.bytes().size();
        for (Map.Entry<MemoryRegion.Kind, Long> entry : area.bytes().entrySet()) {
            kindsLeft--;
            int share = (int) ((double) entry.getValue() / area.size() * BAR_WIDTH);
            int width = kindsLeft == 0 ? BAR_RIGHT - left : Math.clamp(share, 6, BAR_RIGHT - left - 6 * kindsLeft);
            fill(left, y, width, height, entry.getKey());
            left += width;
        }
    }

    private static int shade(double density) {
        return density <= 0 ? 0 : Math.clamp((int) Math.ceil(density * SHADES), 1, SHADES);
    }

    private static String opacity(int shade) {
        return shade == SHADES ? "" : " fill-opacity=\"." + (20 + shade * 80 / SHADES) + "\"";
    }

    private void draw(MemoryMap.Hole hole, int y) {
        int height = height(hole);
        String size = Amounts.human(hole.range());
        svg.append("<g><title>").append("hole ").append(range(hole.range())).append(", ").append(size);
        svg.append("</title>\n");
        address(hole.range().first(), y);
        rectangle("void", BAR_LEFT, y, BAR_WIDTH, height);
        for (int x : new int[] {BAR_LEFT, BAR_RIGHT}) {
            emit("<line class=\"side\" x1=\"%1$d\" y1=\"%2$d\" x2=\"%1$d\" y2=\"%3$d\"/>\n", x, y + 2, y + height - 2);
        }
        if (isBroken(hole)) {
            for (int offset : new int[] {-4, 4}) {
                emit("<use href=\"#guestcore-map-tear\" x=\"%d\" y=\"%d\"/>\n", BAR_LEFT, y + height / 2 + offset);
            }
        }
        text(LABEL_LEFT, y + height / 2 + 5, "soft", "hole");
        text(LABEL_RIGHT, y + height / 2 + 5, "mono end soft", size);
        svg.append("</g>\n");
    }

    private static String tooltip(MemoryMap.Area area) {
        String kinds = area.bytes().entrySet().stream()
                .map(entry -> TextMap.plural(entry.getKey()) + " " + Amounts.human(entry.getValue()))
                .collect(Collectors.joining(", "));
        String found = secondLine(area).map(line -> ", " + line).orElse("");
        return (area.label().isEmpty() ? "" : area.label() + ", ") + range(area.range()) + ", " + kinds + found;
    }

    private static String range(AddressRange range) {
        return "0x" + Long.toHexString(range.first()) + " to 0x" + Long.toHexString(range.last());
    }

    private void address(long address, int y) {
        String digits = HexDump.hexAddress(address, addressDigits);
        int zeros = "0x".length();
        while (zeros < digits.length() - 1 && digits.charAt(zeros) == '0') {
            zeros++;
        }
        tick(y);
        text(
                ADDRESS_RIGHT,
                y + 13,
                "mono end",
                "<tspan class=\"dim\">" + digits.substring(0, zeros) + "</tspan><tspan>" + digits.substring(zeros)
                        + "</tspan>");
    }

    private void endAddress(int y) {
        long last = map.rows().getLast().range().last();
        if (last == -1L) {
            tick(y);
            text(ADDRESS_RIGHT, y + 13, "mono end soft", "end");
        } else {
            address(last + 1, y);
        }
    }

    private void tick(int y) {
        emit("<line class=\"tick\" x1=\"%d\" y1=\"%3$d.5\" x2=\"%d\" y2=\"%3$d.5\"/>\n", MARGIN + 12, BAR_LEFT, y);
    }

    private void seam(int y) {
        emit("<line class=\"seam\" x1=\"%d\" y1=\"%3$d\" x2=\"%d\" y2=\"%3$d\"/>\n", BAR_LEFT, BAR_RIGHT, y);
    }

    private void fill(int x, int y, int width, int height, MemoryRegion.Kind kind) {
        boolean device = kind == MemoryRegion.Kind.DEVICE;
        rectangle(kind + (device ? " base" : ""), x, y, width, height);
        if (device) {
            emit(
                    "<rect fill=\"url(#guestcore-map-hatch)\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n",
                    x,
                    y,
                    width,
                    height);
        }
    }

    private void rectangle(String classes, int x, int y, int width, int height) {
        rectangle(classes, x, y, width, height, "");
    }

    private void rectangle(String classes, int x, int y, int width, int height, String more) {
        emit(
                "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"%s/>\n",
                classes,
                x,
                y,
                width,
                height,
                more);
    }

    /** In no language, so that digits are the same everywhere. */
    private void emit(String format, Object... values) {
        svg.append(String.format(Locale.ROOT, format, values));
    }

    /** Text that is escaped already. */
    private void text(int x, int y, String classes, String markup) {
        String attribute = classes.isEmpty() ? "" : " class=\"" + classes + "\"";
        emit("<text%s x=\"%d\" y=\"%d\">%s</text>\n", attribute, x, y, markup);
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }
}

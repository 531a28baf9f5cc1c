package dev.guestcore.inspect;

import dev.guestcore.MemoryRegion;
import dev.guestcore.internal.text.Amounts;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * Draws a {@link MemoryMap} with characters: one line for each area and hole, the bar as long as the logarithm of its
 * size.
 */
public final class TextMap {

    /** The narrowest map. */
    public static final int LEAST_WIDTH = 60;

    private static final int SIZE_WIDTH = 9;
    private static final int KIND_WIDTH = 6;
    private static final int SHARE_WIDTH = 4;
    private static final int SMALLEST_LOG = Labels.logSixteenths(Pages.SIZE);

    private final MemoryMap map;
    private final Style style;
    private final int addressDigits;
    private final int barWidth;
    private final int nameWidth;
    private final int largestLog;

    /**
     * How to draw.
     *
     * @param width columns of the terminal; fewer than {@link #LEAST_WIDTH} count as that
     * @param colour whether to use ANSI colours
     * @param unicode whether to use block characters; else ASCII only, where names get a "?" for other characters
     */
    public record Style(int width, boolean colour, boolean unicode) {}

    private TextMap(MemoryMap map, Style style) {
        this.map = map;
        this.style = style;
        int width = Math.max(LEAST_WIDTH, style.width());
        this.barWidth = Math.clamp(width / 4, 8, 40);
        this.addressDigits = Labels.addressDigits(map);
        int others = "0x".length() + addressDigits + 2 + barWidth + 2 + SIZE_WIDTH + 2 + KIND_WIDTH + 2
                + (hasShares() ? SHARE_WIDTH + 2 : 0);
        this.nameWidth = Math.max(0, width - others);
        int largest = SMALLEST_LOG;
        for (MemoryMap.Row row : map.rows()) {
            if (row instanceof MemoryMap.Area area) {
                largest = Math.max(largest, Labels.logSixteenths(area.size()));
            }
        }
        this.largestLog = largest;
    }

    private boolean hasShares() {
        return map.isScanned() || map.isCompared();
    }

    /** The map as lines, each with a line feed. */
    public static String render(MemoryMap map, Style style) {
        return new TextMap(map, style).render();
    }

    private String render() {
        StringBuilder text = new StringBuilder();
        text.append(Colour.BOLD.paint(plain(map.title()), style)).append('\n');
        String subtitle = plain(subtitle(map));
        text.append(subtitle.length() <= style.width() ? subtitle : subtitle.replaceFirst("; ", "\n")).append("\n\n");
        for (MemoryMap.Row row : map.rows()) {
            text.append(switch (row) {
                case MemoryMap.Area area -> line(area);
                case MemoryMap.Hole hole -> line(hole);
            });
            text.append('\n');
        }
        if (!map.rows().isEmpty()) {
            long last = map.rows().getLast().range().last();
            String end = last == -1L ? HexDump.END : address(last + 1);
            text.append(Colour.DIM.paint(end, style)).append('\n');
        }
        return text.toString();
    }

    /** "RAM 72 MiB, ROM 1 MiB, devices 5 MiB, holes 3.4 GiB; 16 regions". */
    static String totals(MemoryMap map) {
        MemorySummary summary = map.summary();
        String kinds = List.of(MemoryRegion.Kind.values()).stream()
                .filter(kind -> summary.total(kind).regionCount() > 0)
                .map(kind -> plural(kind) + " " + Amounts.human(summary.bytes(kind)))
                .collect(Collectors.joining(", "));
        return (kinds.isEmpty() ? "" : kinds + "; ") + Amounts.counted(summary.regionCount(), "region");
    }

    /** Where the guest comes from, if that is known, and the totals. */
    static String subtitle(MemoryMap map) {
        return map.origin().isEmpty() ? totals(map) : map.origin() + "; " + totals(map);
    }

    static String plural(MemoryRegion.Kind kind) {
        return kind == MemoryRegion.Kind.DEVICE ? "devices" : kind.name();
    }

    static String singular(MemoryRegion.Kind kind) {
        return kind == MemoryRegion.Kind.DEVICE ? "device" : kind.name();
    }

    private String line(MemoryMap.Area area) {
        int log = Labels.logSixteenths(area.size()) - SMALLEST_LOG;
        int span = Math.max(1, largestLog - SMALLEST_LOG);
        int length = 1 + Math.clamp((barWidth - 1) * log / span, 0, barWidth - 1);
        String bar = bar(area, length);
        String share = area.changes()
                .map(TextMap::share)
                .or(() -> area.scan()
                        .filter(scan -> scan.pages() > 0)
                        .map(scan -> String.format(Locale.ROOT, "%3d%%", Math.round(100 * scan.density()))))
                .orElse("");
        String kinds = area.bytes().size() == 1 ? singular(area.kind()) : "mixed";
        return assemble(
                address(area.range().first()),
                colour(area).paint(bar, style) + " ".repeat(barWidth - length),
                Amounts.human(area.size()),
                kinds,
                share,
                label(area));
    }

    /** Nothing for an area in which nothing changed, so that the others are seen. */
    private static String share(AreaChanges changes) {
        if (changes.changedPages() == 0) {
            return "";
        }
        long percent = Math.round(100 * changes.share());
        return percent == 0 ? " <1%" : String.format(Locale.ROOT, "%3d%%", percent);
    }

    private static Colour colour(MemoryMap.Area area) {
        return area.changes()
                .map(changes -> changes.changedPages() == 0 ? Colour.DIM : Colour.CHANGED)
                .orElse(Colour.of(area.kind()));
    }

    /** For several regions also how much of each kind there is, where there is more than one. */
    private static String label(MemoryMap.Area area) {
        if (area.bytes().size() == 1) {
            return area.label();
        }
        return area.label() + ": " + area.bytes().entrySet().stream()
                .map(entry -> plural(entry.getKey()) + " " + Amounts.human(entry.getValue()))
                .collect(Collectors.joining(", "));
    }

    private String line(MemoryMap.Hole hole) {
        String mark = style.unicode() ? "┆" : ":";
        String line = assemble(
                address(hole.range().first()),
                mark + " ".repeat(barWidth - 1),
                Amounts.human(hole.range()),
                "hole",
                "",
                "");
        return Colour.DIM.paint(line, style);
    }

    private String address(long address) {
        return HexDump.hexAddress(address, addressDigits);
    }

    private String assemble(String address, String bar, String size, String kind, String share, String name) {
        StringBuilder line = new StringBuilder(address).append("  ").append(bar).append("  ");
        line.append(" ".repeat(Math.max(0, SIZE_WIDTH - size.length()))).append(size).append("  ");
        line.append(kind).append(" ".repeat(Math.max(0, KIND_WIDTH - kind.length()))).append("  ");
        if (hasShares()) {
            line.append(share).append(" ".repeat(SHARE_WIDTH - share.length())).append("  ");
        }
        line.append(Labels.cut(plain(name), nameWidth, style.unicode() ? "…" : "..."));
        return line.toString().stripTrailing();
    }

    private String bar(MemoryMap.Area area, int length) {
        if (area.kind() == MemoryRegion.Kind.DEVICE) {
            return (style.unicode() ? "╌" : "-").repeat(length);
        }
        if (area.changes().isPresent()) {
            return bar(area.changes().get().profile(), area.changes().get().share(), length);
        }
        Optional<RegionScan> scan = area.scan().filter(found -> found.pages() > 0);
        if (scan.isEmpty()) {
            boolean rom = area.kind() == MemoryRegion.Kind.ROM;
            return (style.unicode() ? rom ? "▒" : "█" : rom ? "=" : "#").repeat(length);
        }
        return bar(scan.get().profile(), scan.get().density(), length);
    }

    private String bar(List<Double> profile, double average, int length) {
        StringBuilder bar = new StringBuilder();
        for (int cell = 0; cell < length; cell++) {
            bar.append(shade(profile.isEmpty() ? average : density(profile, cell, length)));
        }
        return bar.toString();
    }

    /** Average over the part of the profile that lies under one character. */
    private static double density(List<Double> profile, int cell, int cells) {
        int from = cell * profile.size() / cells;
        int to = Math.max(from + 1, (cell + 1) * profile.size() / cells);
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += profile.get(i);
        }
        return sum / (to - from);
    }

    /** Nothing, a little, up to a half, more, nearly full. */
    private char shade(double density) {
        String shades = style.unicode() ? "·░▒▓█" : ".:+*#";
        int step = density <= 0 ? 0 : density < 0.25 ? 1 : density < 0.5 ? 2 : density < 0.75 ? 3 : 4;
        return shades.charAt(step);
    }

    private String plain(String text) {
        return style.unicode() ? text : text.replaceAll("[^ -~]", "?");
    }

    /** Of the palette of 256 colours, readable on white and on black. */
    private enum Colour {
        RAM("38;5;31"),
        ROM("38;5;130"),
        DEVICE("38;5;133"),
        CHANGED("38;5;161"),
        DIM("38;5;243"),
        BOLD("1");

        private final String code;

        Colour(String code) {
            this.code = code;
        }

        static Colour of(MemoryRegion.Kind kind) {
            return switch (kind) {
                case RAM -> RAM;
                case ROM -> ROM;
                case DEVICE -> DEVICE;
            };
        }

        String paint(String text, Style style) {
            return style.colour() ? "\u001b[" + code + "m" + text + "\u001b[0m" : text;
        }
    }
}

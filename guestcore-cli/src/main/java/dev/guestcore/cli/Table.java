package dev.guestcore.cli;

import java.util.ArrayList;
import java.util.List;

/** Aligned columns. Not thread-safe. */
final class Table {

    private static final String INDENT = "  ";
    private static final String GAP = "  ";

    private final List<Column> columns;
    private final List<List<String>> rows = new ArrayList<>();

    private record Column(String heading, boolean right) {}

    /** Begins a table; a heading that ends in {@code >} makes a column that is aligned to the right. */
    Table(String... headings) {
        columns = new ArrayList<>();
        for (String heading : headings) {
            boolean right = heading.endsWith(">");
            columns.add(new Column(right ? heading.substring(0, heading.length() - 1) : heading, right));
        }
    }

    /** Adds a row of as many cells as there are columns. */
    Table row(String... cells) {
        rows.add(List.of(cells));
        return this;
    }

    /** The table as lines. */
    List<String> lines(Style style) {
        int[] widths = new int[columns.size()];
        for (int i = 0; i < widths.length; i++) {
            widths[i] = columns.get(i).heading.length();
            for (List<String> row : rows) {
                widths[i] = Math.max(widths[i], visibleLength(row.get(i)));
            }
        }
        List<String> lines = new ArrayList<>();
        List<String> headings = columns.stream().map(Column::heading).toList();
        if (headings.stream().anyMatch(heading -> !heading.isEmpty())) {
            lines.add(style.faint(line(headings, widths)));
        }
        rows.forEach(row -> lines.add(line(row, widths)));
        return lines;
    }

    private String line(List<String> cells, int[] widths) {
        StringBuilder line = new StringBuilder(INDENT);
        for (int i = 0; i < widths.length; i++) {
            String padding = " ".repeat(widths[i] - visibleLength(cells.get(i)));
            line.append(i == 0 ? "" : GAP);
            line.append(columns.get(i).right ? padding + cells.get(i) : cells.get(i) + padding);
        }
        return line.toString().stripTrailing();
    }

    private static int visibleLength(String cell) {
        return cell.replaceAll("\u001b\\[[0-9;]*m", "").length();
    }
}

package dev.guestcore.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** The tables of {@code docs/drgn.md}: what one writes in drgn, and in Java. */
public final class DrgnPage {

    private static final Pattern CODE = Pattern.compile("`([^`]+)`");

    private DrgnPage() {}

    /** Two expressions that give the same, at a line of the page, counted from 1. */
    public record Row(int line, String drgn, String java) {}

    /** The rows whose two sides can be compared: those of tables with three columns. */
    public static List<Row> rows(Path page) {
        List<Row> rows = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            List<String> cells = cells(lines.get(i));
            if (cells.size() == 3 && cells.get(2).startsWith("`")) {
                rows.add(new Row(i + 1, code(cells.get(1)).getFirst(), code(cells.get(2)).getFirst()));
            }
        }
        return rows;
    }

    /** All expressions in Java. */
    public static List<Snippets.Snippet> java(Path page) {
        List<Snippets.Snippet> snippets = new ArrayList<>();
        List<String> lines = lines(page);
        for (int i = 0; i < lines.size(); i++) {
            List<String> cells = cells(lines.get(i));
            if (!cells.isEmpty()) {
                for (String code : code(cells.getLast())) {
                    if (code.contains("(")) {
                        snippets.add(new Snippets.Snippet(page, i + 1, "show(" + code + ");"));
                    }
                }
            }
        }
        return snippets;
    }

    private static List<String> lines(Path page) {
        try {
            return Files.readAllLines(page);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Empty if the line is not one of a table. */
    private static List<String> cells(String line) {
        if (!line.startsWith("| ") || !line.endsWith(" |")) {
            return List.of();
        }
        return List.of(line.substring(2, line.length() - 2).split(" \\| ", -1));
    }

    private static List<String> code(String cell) {
        return CODE.matcher(cell).results().map((MatchResult match) -> match.group(1)).toList();
    }
}

package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Nearest;
import dev.guestcore.linux.PageKinds;
import dev.guestcore.linux.export.FilteredGuest;
import dev.guestcore.linux.export.PageFilter;
import java.io.PrintStream;
import java.io.Serial;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The pages that the user wants left out, and what came of it. */
final class ExcludedPages {

    private static final List<String> FORMATS = List.of("elf", "kdump");

    private static final String ALL = "all";
    private static final String ZERO = "zero";

    /** What each name stands for. */
    private static final Map<String, Set<PageKinds.Kind>> NAMES = names();

    /** Names in JSON. */
    private static final Map<PageKinds.Kind, String> KEYS = Map.of(
            PageKinds.Kind.FREE, "freeBytes",
            PageKinds.Kind.CACHE, "cacheBytes",
            PageKinds.Kind.PRIVATE_CACHE, "privateCacheBytes",
            PageKinds.Kind.USER, "userBytes");

    private final PageFilter filter;
    private @Nullable FilteredGuest filtered;

    private ExcludedPages(PageFilter filter) {
        this.filter = filter;
    }

    private static Map<String, Set<PageKinds.Kind>> names() {
        Map<String, Set<PageKinds.Kind>> names = new LinkedHashMap<>();
        names.put("free", EnumSet.of(PageKinds.Kind.FREE));
        names.put("cache", EnumSet.of(PageKinds.Kind.CACHE));
        names.put("private-cache", EnumSet.of(PageKinds.Kind.CACHE, PageKinds.Kind.PRIVATE_CACHE));
        names.put("user", EnumSet.of(PageKinds.Kind.USER));
        names.put(ZERO, EnumSet.noneOf(PageKinds.Kind.class));
        names.put(ALL, EnumSet.allOf(PageKinds.Kind.class));
        return names;
    }

    /** For help and completion. */
    static final class Names extends ArrayList<String> {

        @Serial
        private static final long serialVersionUID = 1L;

        Names() {
            super(NAMES.keySet());
        }
    }

    /**
     * What the user named; empty for nothing.
     *
     * @throws picocli.CommandLine.ParameterException if there is no such kind, or the format takes none
     */
    static Optional<ExcludedPages> of(Verb verb, List<String> names, CoreFormat format) {
        if (names.isEmpty()) {
            return Optional.empty();
        }
        if (!FORMATS.contains(format.name())) {
            throw verb.usage("--exclude is an option of --to elf and --to kdump, not of --to " + format.name());
        }
        Set<String> wanted = new LinkedHashSet<>(names);
        EnumSet<PageKinds.Kind> kinds = EnumSet.noneOf(PageKinds.Kind.class);
        for (String name : wanted) {
            Set<PageKinds.Kind> meant = NAMES.get(name);
            if (meant == null) {
                throw verb.usage(
                        "--exclude " + name + ": no such kind of page; choose of " + String.join(", ", NAMES.keySet())
                                + Nearest.hint(name, NAMES.keySet()));
            }
            kinds.addAll(meant);
        }
        PageFilter filter = PageFilter.of(kinds);
        boolean zeros = wanted.contains(ZERO) || wanted.contains(ALL);
        // All pages of zeros of a kdump are one.
        return Optional.of(new ExcludedPages(zeros && format.name().equals("elf") ? filter.withZeros() : filter));
    }

    /** The guest without these pages. */
    Guest leaveOut(Guest guest, Progress progress) {
        FilteredGuest less = filter.apply(guest, progress);
        filtered = less;
        return less;
    }

    /** Says what was left out. */
    void describe(PrintStream report, Style style) {
        FilteredGuest less = filtered;
        if (less == null) {
            return;
        }
        List<String> amounts = new ArrayList<>();
        less.leftOut().forEach((kind, bytes) -> amounts.add(Amounts.human(bytes) + " of " + kind));
        if (less.zerosLeftOut() > 0) {
            amounts.add(Amounts.human(less.zerosLeftOut()) + " of zeros");
        }
        report.println(style.heading("without") + "  " + (amounts.isEmpty() ? "nothing" : String.join(", ", amounts)));
        if (less.unknownPages() > 0) {
            report.println(style.odd("kept") + "  " + Text.counted(less.unknownPages(), "page")
                    + " whose kind cannot be read");
        }
    }

    /** The same for programs. */
    Map<String, Object> json() {
        Map<String, Object> document = new LinkedHashMap<>();
        FilteredGuest less = filtered;
        if (less != null) {
            for (PageKinds.Kind kind : PageKinds.Kind.values()) {
                Long bytes = less.leftOut().get(kind);
                if (bytes != null) {
                    document.put(KEYS.get(kind), bytes);
                }
            }
            document.put("zeroBytes", less.zerosLeftOut());
            document.put("unknownPages", less.unknownPages());
        }
        return document;
    }
}

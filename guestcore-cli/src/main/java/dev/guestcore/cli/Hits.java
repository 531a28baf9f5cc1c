package dev.guestcore.cli;

import dev.guestcore.GuestMemory;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.inspect.HexDump;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.json.Json;
import dev.guestcore.search.SearchHit;
import dev.guestcore.search.SearchSummary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Prints what a search finds, as it is found. Not thread-safe. */
final class Hits {

    private static final String SCHEMA = "search";
    private static final String PREFIX = "0x";
    private static final int ADDRESS_DIGITS = 16;
    private static final int ADDRESS_END = PREFIX.length() + ADDRESS_DIGITS;
    private static final int NARROW_DIGITS = 8;
    private static final int FIRST_BYTE_COLUMN = ADDRESS_END + 2;
    private static final int FIRST_TEXT_COLUMN = FIRST_BYTE_COLUMN + 16 * 3 + 3;
    private static final int PER_LINE = 16;
    private static final int FULL_WIDTH = 2 + FIRST_TEXT_COLUMN + PER_LINE + 1;

    private final Console console;
    private final ShownProgress progress;
    private final GuestMemory memory;
    private final Optional<AddressSpace> space;
    private final String pattern;
    private final boolean utf16;
    private final boolean json;
    private Optional<ProcessSearch.Owner> owner = Optional.empty();

    /**
     * Prints to {@code console}.
     *
     * @param progress gets out of the way of each find
     * @param memory what is searched
     * @param space how virtual addresses are translated; empty where physical memory is searched
     * @param pattern what is searched for, as it was typed
     * @param utf16 whether also its form in 16-bit characters is
     */
    Hits(
            Console console,
            ShownProgress progress,
            GuestMemory memory,
            Optional<AddressSpace> space,
            String pattern,
            boolean utf16,
            boolean json) {
        this.pattern = pattern;
        this.utf16 = utf16;
        this.console = console;
        this.progress = progress;
        this.memory = memory;
        this.space = space;
        this.json = json;
    }

    /** Says of each find in which process it is. */
    Hits of(ProcessSearch.Owner process) {
        owner = Optional.of(process);
        return this;
    }

    /** Prints one find. */
    void print(SearchHit hit) {
        progress.close();
        if (json) {
            Json.writeLine(console.out(), Json.document(SCHEMA, json(hit)));
        } else {
            describe(hit);
        }
        console.flush();
        console.cancellation().check();
    }

    private void describe(SearchHit hit) {
        Style style = console.style();
        StringBuilder line = new StringBuilder(style.heading(Json.address(hit.address())));
        hit.physical().ifPresent(physical -> line.append("  ").append(physical));
        if (!hit.region().isEmpty()) {
            line.append("  ").append(Printable.of(hit.region()));
        }
        owner.ifPresent(process -> line.append("  ")
                .append(Printable.of(
                        (process.name() + " (pid " + process.pid() + ")  " + process.area(hit.address())).strip())));
        line.append(style.faint("  " + Text.counted(hit.length(), "byte")));
        console.out().println(line);
        lines(hit).forEach(text -> console.out().println(fitted(text, marked(text, hit, style))));
    }

    /**
     * On a narrow terminal a long address, which stands in the line above, is cut, and begins with an ellipsis so that nobody
     * takes it for the whole.
     */
    private String fitted(String text, String marked) {
        boolean narrow = console.terminal().out() && console.terminal().width() < FULL_WIDTH;
        if (!narrow) {
            return "  " + marked;
        }
        int cut = ADDRESS_END - NARROW_DIGITS;
        boolean isShort = text.substring(PREFIX.length(), cut).chars().allMatch(digit -> digit == '0');
        return (isShort ? PREFIX : " …") + marked.substring(cut);
    }

    private List<String> lines(SearchHit hit) {
        StringBuilder dump = new StringBuilder();
        try {
            HexDump.write(memory, hit.contextAddress(), hit.context().length, dump);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        List<String> lines = dump.toString().lines().toList();
        // The last line is only the address behind the bytes.
        return lines.isEmpty() ? lines : lines.subList(0, lines.size() - 1);
    }

    /** Paints the bytes of the find, as digits and as text. */
    private static String marked(String line, SearchHit hit, Style style) {
        if (style == Style.PLAIN || line.length() <= FIRST_TEXT_COLUMN) {
            return line;
        }
        long lineAddress = Long.parseUnsignedLong(line, PREFIX.length(), ADDRESS_END, 16);
        long toFirst = hit.address() - lineAddress;
        int first = Math.clamp(toFirst, 0, PER_LINE);
        int end = Math.clamp(toFirst + hit.length(), 0, PER_LINE);
        if (first >= end) {
            return line;
        }
        int bytes = column(first);
        int bytesEnd = column(end - 1) + 2;
        int text = FIRST_TEXT_COLUMN + first;
        int textEnd = FIRST_TEXT_COLUMN + end;
        return line.substring(0, bytes)
                + style.good(line.substring(bytes, bytesEnd))
                + line.substring(bytesEnd, text)
                + style.good(line.substring(text, textEnd))
                + line.substring(textEnd);
    }

    private static int column(int index) {
        return FIRST_BYTE_COLUMN + index * 3 + index / (PER_LINE / 2);
    }

    private Map<String, Object> json(SearchHit hit) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("address", Json.address(hit.address()));
        line.put("length", hit.length());
        byte[] match = match(hit);
        line.put("match", HexFormat.of().formatHex(match));
        line.put("text", new String(match, isWide(match) ? StandardCharsets.UTF_16LE : StandardCharsets.UTF_8));
        hit.physical().ifPresent(physical -> {
            line.put("physical", Json.address(physical.value()));
            line.put("physicalSpace", physical.space().title());
            guestPhysical(physical).ifPresent(found -> line.put("guestPhysical", Json.address(found.value())));
        });
        line.put(space.isPresent() ? "rights" : "region", hit.region());
        owner.ifPresent(process -> {
            line.put("pid", process.pid());
            line.put("name", process.name());
            String area = process.area(hit.address());
            if (!area.isEmpty()) {
                line.put("area", area);
            }
        });
        line.put("contextAddress", Json.address(hit.contextAddress()));
        line.put("context", HexFormat.of().formatHex(hit.context()));
        return line;
    }

    /** The match itself, of which the context may have a part only. */
    private byte[] match(SearchHit hit) {
        byte[] match = new byte[hit.length()];
        long read = memory.readAvailable(hit.address(), MemorySegment.ofArray(match));
        return Arrays.copyOf(match, (int) read);
    }

    /** Whether it is the form of the pattern in 16-bit characters that was found. */
    private boolean isWide(byte[] match) {
        return utf16 && !Arrays.equals(match, pattern.getBytes(StandardCharsets.UTF_8));
    }

    private Optional<PhysicalAddress> guestPhysical(PhysicalAddress physical) {
        return space.flatMap(known -> known.guestPhysical(physical));
    }

    /** Prints how the search went; {@code enough} says that it ended because it found as many as were wanted. */
    void finish(SearchSummary summary, boolean enough) {
        if (json) {
            Map<String, Object> totals = new LinkedHashMap<>();
            totals.put("hits", summary.hits());
            totals.put("searchedBytes", summary.searchedBytes());
            totals.put("unreadableBytes", summary.unreadableBytes());
            totals.put("repeatedBytes", summary.repeatedBytes());
            totals.put("limited", enough);
            summary.stoppedAt().ifPresent(address -> totals.put("stoppedAt", Json.address(address)));
            Json.writeLine(console.out(), Json.document(SCHEMA, Map.of("summary", totals)));
            return;
        }
        Style style = console.style();
        if (summary.searchedBytes() == 0) {
            console.out().println(style.bad("nothing was searched: " + (space.isPresent()
                    ? "the page tables map no memory there that the source has"
                    : "the source has no memory there that can be read")));
        } else {
            console.out().println(style.faint(total(summary, enough)));
        }
        if (summary.unreadableBytes() > 0) {
            console.out().println(style.odd(
                    Amounts.human(summary.unreadableBytes())
                            + " could not be searched: the source does not have them"));
        }
        if (summary.repeatedBytes() > 0) {
            console.out().println(style.faint(
                    Amounts.human(summary.repeatedBytes()) + " passed over, where one page is mapped again and again"));
        }
        if (!enough && summary.stoppedAt().isPresent()) {
            console.out().println(style.bad(
                    "gave up at " + Json.address(summary.stoppedAt().getAsLong()) + ": the page tables do not end"));
        }
    }

    private static String total(SearchSummary summary, boolean enough) {
        String found = summary.hits() == 0 ? "nothing found" : Amounts.count(summary.hits()) + " found";
        return found + "; " + Amounts.human(summary.searchedBytes()) + " searched"
                + (enough ? ", then stopped by --limit" : "");
    }
}

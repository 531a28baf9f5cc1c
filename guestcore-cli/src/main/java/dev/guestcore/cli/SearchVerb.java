package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.linux.Linux;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.search.SearchSummary;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore search}. */
@Command(
        name = "search",
        description = {
            "Search memory for text, bytes or a regular expression.",
            "",
            "Each match comes with its address, the region or the rights of the page, and the bytes around it. With "
                    + "--json each is a line of its own, and the last line a summary. Exit code 0 if something was "
                    + "found, 1 if nothing was, 3 if the source is damaged.",
            "",
            "Regular expressions match bytes: . [a-z] [^x] \\d \\w \\s \\xHH | ( ) * + ? {m,n}, in front (?i) for "
                    + "any case and (?s) for a dot that matches line feeds. A match is at most 4096 bytes long."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore search vm.core 'BOOT_IMAGE='",
            "  guestcore search vm.core --hex '55 aa' --range 0x7c00-0x7fff",
            "  guestcore search vm.core --regex 'Linux version [ -~]+' --virtual --cpu 0 --limit 1",
            "  guestcore search vm.core --pid 1234 password",
            "  guestcore search vm.core --all-processes 'BEGIN RSA PRIVATE KEY'"
        })
final class SearchVerb extends Verb {

    private static final int USUAL_CONTEXT = 16;

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Parameters(
            index = "1",
            paramLabel = "<pattern>",
            description = "What to find: text in UTF-8 unless an option says otherwise.")
    String pattern = "";

    @ArgGroup(exclusive = true, multiplicity = "0..1")
    Meaning meaning = new Meaning();

    @Option(names = "--virtual", description = "Search what a vCPU's page tables map, by virtual address.")
    boolean virtual;

    @Mixin
    AddressSpaceOptions addressSpace = new AddressSpaceOptions();

    @Mixin
    ProcessOption process = new ProcessOption();

    @Option(
            names = "--all-processes",
            description = "Search the memory of each process of a Linux guest; matches come with the process and the area.")
    boolean allProcesses;

    @Option(
            names = "--range",
            paramLabel = "<first-last>",
            converter = Quantity.Range.class,
            description = "Search these addresses only, both ends inclusive.")
    @Nullable
    AddressRange range;

    @Option(
            names = "--limit",
            paramLabel = "<number>",
            converter = Quantity.Length.class,
            description = "Stop after this many matches.")
    @Nullable
    Long limit;

    @Option(
            names = "--context",
            paramLabel = "<bytes>",
            description = "Show this many bytes on each side, up to " + MemorySearch.MOST_CONTEXT + ". Default: "
                    + USUAL_CONTEXT + ".")
    int context = USUAL_CONTEXT;

    @Mixin
    ProgressOption progress = new ProgressOption();

    /** How the pattern is meant. */
    static final class Meaning {

        @Option(names = "--hex", description = "The pattern is bytes as hexadecimal digits; spaces are ignored.")
        boolean hex;

        @Option(names = "--regex", description = "The pattern is a regular expression that matches bytes.")
        boolean regex;

        @Option(
                names = "--utf16",
                description = "Find the text also as little-endian UTF-16, as Windows and firmware keep it.")
        boolean utf16;
    }

    @Mixin
    FreezeOption freeze = new FreezeOption();

    SearchVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        process.check(this, addressSpace);
        if (allProcesses
                && (process.isGiven() || virtual || addressSpace.cpu != null || addressSpace.tables.isGiven())) {
            throw usage(
                    "--all-processes names the page tables; leave out --pid, --virtual, --cpu, --root, --paging, --c-bit and "
                            + "--physical-bits");
        }
        addressSpace.check(this, virtual);
        if (context < 0 || context > MemorySearch.MOST_CONTEXT) {
            throw usage("--context is a number from 0 to " + MemorySearch.MOST_CONTEXT + ", found " + context);
        }
        if (limit != null && limit < 1) {
            throw usage("--limit is a number from 1 on, found " + limit);
        }
        MemorySearch search = MemorySearch.of(pattern()).context(context);
        search = limit == null ? search : search.limit(limit);
        MemorySearch complete = range == null ? search : search.in(range);
        return streaming(() -> search(complete));
    }

    private SearchPattern pattern() {
        try {
            if (meaning.hex) {
                return SearchPattern.hex(pattern);
            }
            if (meaning.regex) {
                return SearchPattern.regex(pattern, SearchPattern.LONGEST);
            }
            // Not big-endian too: little-endian text behind a zero is that as well, and would be found twice.
            return SearchPattern.text(
                    pattern,
                    meaning.utf16
                            ? List.of(StandardCharsets.UTF_8, StandardCharsets.UTF_16LE)
                            : List.of(StandardCharsets.UTF_8));
        } catch (UnsupportedRequestException e) {
            throw usage(String.valueOf(e.getMessage()));
        }
    }

    /** The page tables through which memory is searched; empty for physical memory. */
    private Optional<AddressSpace> seen(Guest guest) {
        if (process.isGiven()) {
            return Optional.of(process.of(guest, source, this));
        }
        return virtual ? Optional.of(addressSpace.of(guest, source, this)) : Optional.empty();
    }

    private int search(MemorySearch search) {
        try (FreezeOption.Look look = freeze.look(this);
                Guest guest = look.open(source, FreezeOption.Need.MUCH, progress.mode)) {
            List<String> problems = new ArrayList<>();
            SearchSummary summary;
            Hits hits;
            // Before the progress of the search begins.
            Optional<Linux> linux = allProcesses ? Optional.of(process.linux(guest, source, this)) : Optional.empty();
            Optional<AddressSpace> seen = seen(guest);
            try (ShownProgress shown = progress(progress.mode)) {
                if (linux.isPresent()) {
                    hits = hits(shown, guest.memory(), Optional.empty());
                    ProcessSearch all = new ProcessSearch(search, range, limit);
                    summary = all.run(linux.get(),
                            (space, owner) -> hits(shown, space.memory(), Optional.of(space)).of(owner), shown);
                    problems.addAll(all.problems());
                } else if (seen.isPresent()) {
                    AddressSpace space = seen.get();
                    hits = hits(shown, space.memory(), Optional.of(space));
                    boolean ownHalf = process.isGiven() && range == null;
                    MemorySearch part = ownHalf ? search.in(ProcessOption.half(space)) : search;
                    summary = part.virtual(space, hits::print, shown);
                } else {
                    hits = hits(shown, guest.memory(), Optional.empty());
                    summary = search.physical(guest.memory(), hits::print, shown);
                }
            }
            boolean enough = limit != null && summary.hits() == limit;
            hits.finish(summary, enough);
            int damage = Math.max(problems(problems), report(guest.findings()));
            return damage != ExitCode.DONE ? damage : summary.hits() > 0 ? ExitCode.DONE : ExitCode.FAILED;
        }
    }

    private Hits hits(ShownProgress shown, GuestMemory memory, Optional<AddressSpace> space) {
        return new Hits(console(), shown, memory, space, pattern, meaning.utf16, json);
    }
}

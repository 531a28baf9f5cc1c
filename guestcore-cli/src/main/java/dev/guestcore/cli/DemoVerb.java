package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.capture.Capture;
import dev.guestcore.capture.CaptureReport;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.MemoryMap;
import dev.guestcore.inspect.RegisterDifference;
import dev.guestcore.inspect.TextMap;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.json.Json;
import dev.guestcore.open.Guests;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchHit;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.demo.DemoInvariant;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code guestcore demo}. */
@Command(
        name = "demo",
        description = {
            "Show what Guestcore does, using a small guest that it brings along.",
            "",
            "Starts the embedded guest, freezes and captures it as VMCore and dump-core, verifies the files, turns one into "
                    + "the other, and compares. Nothing has to be installed. The files are kept, so that you "
                    + "can try the other commands."
        },
        footer = {"", "Example:", "  guestcore demo"})
final class DemoVerb extends Verb {

    private static final String DEFAULT_FOLDER = "guestcore-demo";
    private static final String INDENT = "   ";
    private static final String NEEDLE = "needle [ -~]+";
    private static final int WIDEST = 100;
    private static final TextMap.Style PICTURE = new TextMap.Style(WIDEST, false, true);
    /** How often memory is read or written: two captures, two checks, a conversion, a comparison, a search. */
    private static final int PASSES = 7;
    private static final int MOST_FOLDERS = 1000;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "<folder>",
            description = "A new folder for the files. Default: guestcore-demo, or guestcore-demo-2 and so on.")
    @Nullable
    String output;

    @Mixin
    ProgressOption progress = new ProgressOption();

    private final List<Map<String, Object>> told = new ArrayList<>();
    private final List<String> commands = new ArrayList<>();
    private final List<String> lines = new ArrayList<>();
    private int steps;
    private boolean allWell = true;

    DemoVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        // Whether memory and registers are of one instant shows only in formats that hold all registers.
        List<CoreFormat> formats = WriteOptions.writableFormats().stream()
                .filter(format -> List.of("vbox", "xen").contains(format.name()))
                .toList();
        return unwinding(() -> {
            if (formats.isEmpty()) {
                throw new UnsupportedRequestException("there is no format to write");
            }
            Path folder = createFolder();
            List<Path> cores = new ArrayList<>();
            try (GuestSource guest = Guests.source("demo:")) {
                step("A guest runs inside this process: " + guest.vcpuCount() + " vCPUs that never stop writing, "
                        + Amounts.human(Capture.expectedBytes(guest)) + " of memory with the holes of a PC.");
                progress(progress.mode).expect(PASSES * Capture.expectedBytes(guest));
                for (CoreFormat format : formats) {
                    cores.add(capture(guest, format, folder));
                }
            }
            for (Path core : cores) {
                verify(core);
            }
            if (cores.size() > 1) {
                convert(cores.getFirst(), formats.getLast(), folder);
            }
            search(cores.getFirst());
            map(cores.getFirst());
            suggest(cores);
            if (json) {
                tell();
                Map<String, Object> document = new LinkedHashMap<>();
                document.put("folder", folder.toString());
                document.put("good", allWell);
                document.put("steps", told);
                printJson(document);
            }
            return allWell ? ExitCode.DONE : ExitCode.FAILED;
        });
    }

    private Path createFolder() {
        String wanted = output == null ? DEFAULT_FOLDER : output;
        for (int number = 1; number < MOST_FOLDERS; number++) {
            Path folder = FileNames.path(number == 1 ? wanted : wanted + "-" + number);
            try {
                return Files.createDirectory(folder);
            } catch (FileAlreadyExistsException e) {
                if (output != null) {
                    throw new OutputException(folder + ": exists already; name a folder that does not");
                }
            } catch (IOException e) {
                throw new OutputException(folder + ": cannot create this folder: " + e, e);
            }
        }
        throw new OutputException(
                wanted + ": there are " + MOST_FOLDERS + " such folders; delete some, or name one with -o");
    }

    /** For programs: what the step before had to say. */
    private void tell() {
        if (!told.isEmpty()) {
            told.getLast().put("commands", List.copyOf(commands));
            told.getLast().put("lines", List.copyOf(lines));
            commands.clear();
            lines.clear();
        }
    }

    private void step(String text) {
        if (json) {
            tell();
            Map<String, Object> step = new LinkedHashMap<>();
            step.put("title", text);
            told.add(step);
            return;
        }
        List<String> lines = Text.wrap(text, console().proseWidth() - INDENT.length());
        print(style().heading(++steps + ".") + " " + lines.getFirst());
        lines.stream().skip(1).forEach(this::detail);
    }

    private void detail(String text) {
        if (json) {
            lines.add(text);
        } else {
            print(INDENT + text);
        }
    }

    private Style style() {
        return json ? Style.PLAIN : console().style();
    }

    private Path capture(GuestSource guest, CoreFormat format, Path folder) {
        Path core = folder.resolve("demo." + format.name());
        step("Freeze it, write a " + format.title() + ", let it run on.");
        command("capture demo: -o " + Text.quoted(core.toString()) + " --to " + format.name());
        CaptureReport outcome = deliver(guest, format, core);
        outcome.frozen().ifPresent(time -> detail("frozen for " + Text.time(time) + ", "
                + Amounts.human(outcome.written().bytes()) + " written"));
        return core;
    }

    private CaptureReport deliver(GuestSource guest, CoreFormat format, Path core) {
        try (ShownProgress shown = progress(progress.mode)) {
            return Capture.of(guest).to(format.writer(Map.of())).withProgress(shown).write(core);
        }
    }

    private void command(String line) {
        String command = Text.program() + " " + line;
        if (json) {
            commands.add(command);
        } else {
            detail(style().command("$ " + command));
        }
    }

    private void verify(Path core) {
        step("Is " + core.getFileName() + " sound, and of one single instant?");
        command("verify --deep " + Text.quoted(core.toString()));
        List<Check> checks;
        try (FileBytes bytes = FileBytes.open(core);
                ShownProgress shown = progress(progress.mode)) {
            checks = Guests.recognize(bytes).verify(bytes, true, shown);
        }
        long broken = checks.stream().filter(check -> check.result() == Check.Result.FAIL).count();
        result(broken == 0, checks.size() + " rules of the format checked", broken + " rules are broken");
        try (Guest guest = Guests.open(core)) {
            List<String> violations = DemoInvariant.check(guest);
            result(
                    violations.isEmpty(),
                    "every word of memory agrees with the registers: all vCPUs stood still",
                    "memory and registers are not of one instant: " + String.join("; ", violations));
        }
    }

    private void result(boolean good, String ifGood, String otherwise) {
        allWell &= good;
        detail(good ? style().good("✓ " + ifGood) : style().bad("✗ " + otherwise));
    }

    private void convert(Path from, CoreFormat format, Path folder) {
        Path core = folder.resolve("converted." + format.name());
        step("Turn one into the other, and compare page by page, register by register.");
        command("convert " + Text.quoted(from.toString()) + " -o " + Text.quoted(core.toString()) + " --to "
                + format.name());
        CaptureReport outcome;
        try (GuestSource source = Guests.source(from.toString())) {
            outcome = deliver(source, format, core);
        }
        command("verify " + Text.quoted(core.toString()) + " --against " + Text.quoted(from.toString()));
        GuestComparison comparison = compare(core, from);
        result(
                comparison.isSameMemory(),
                "the same memory, all " + Amounts.human(comparison.comparedBytes()),
                "memory differs");
        long values = comparison.vcpus().stream()
                .flatMap(vcpu -> vcpu.registers().stream())
                .filter(RegisterDifference::isKnownInBoth)
                .count();
        result(values == 0, "the same value in every register that both formats know", values + " registers differ");
        int losses = outcome.written().losses().size();
        if (losses > 0) {
            boolean canKeep = format.writeOptions().stream().anyMatch(option -> option.name().equals(WritingVerb.KEEP));
            detail(style().odd(Text.counted(losses, "fact") + " for which this format has no place")
                    + (canKeep ? " (convert --" + WritingVerb.KEEP + " takes them along)" : ""));
        }
    }

    private GuestComparison compare(Path core, Path other) {
        try (Guest guest = Guests.open(core);
                Guest otherGuest = Guests.open(other);
                ShownProgress shown = progress(progress.mode)) {
            return GuestComparison.compare(guest, otherGuest, shown);
        }
    }

    private void search(Path core) {
        step("Find a text where the guest's programs see it, through the page tables of a vCPU.");
        command("search " + Text.quoted(core.toString()) + " --virtual --regex '" + NEEDLE + "' --limit 1");
        List<SearchHit> hits = new ArrayList<>();
        try (Guest guest = Guests.open(core);
                ShownProgress shown = progress(progress.mode)) {
            AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
            SearchPattern pattern = SearchPattern.regex(NEEDLE, SearchPattern.LONGEST);
            MemorySearch.of(pattern).limit(1).context(0).virtual(space, hits::add, shown);
        }
        String found = hits.stream()
                .findFirst()
                .map(hit -> "found at " + Json.address(hit.address()) + ": "
                        + Printable.of(new String(hit.context(), StandardCharsets.ISO_8859_1)))
                .orElse("");
        result(!hits.isEmpty(), found, "not found");
    }

    private void map(Path core) {
        step("What lies where in memory.");
        command("map " + Text.quoted(core.toString()));
        try (Guest guest = Guests.open(core)) {
            TextMap.render(MemoryMap.of(guest), json ? PICTURE : MapVerb.style(console())).lines()
                    .forEach(this::detail);
        }
    }

    private void suggest(List<Path> cores) {
        String core = Text.quoted(cores.getFirst().toString());
        step("Now you:");
        command("info " + core);
        command("regs " + core + " --cpu 0");
        command("read " + core + " 0x8000 64");
        command("map --svg demo.svg " + core);
    }
}

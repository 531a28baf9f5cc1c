package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Freeze;
import dev.guestcore.FreezeMethod;
import dev.guestcore.capture.Capture;
import dev.guestcore.capture.CaptureReport;
import dev.guestcore.error.MayNotFitException;
import dev.guestcore.error.OutputException;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.Loss;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.json.Json;
import dev.guestcore.json.ReportJson;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeChoice;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.PrintStream;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** What {@code capture} and {@code convert} share: they are one operation. */
abstract class WritingVerb extends Verb {

    private static final int MOST_LINES = 12;
    /** The option of the formats that can carry what they have no place for. */
    static final String KEEP = "keep";
    /** The option that has a live guest captured though there may be too little room. */
    static final String ANY_ROOM = "--no-space-check";

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "<file>",
            description = "The file to write; '-' is standard output.")
    String output = "";

    @Option(
            names = "--to",
            required = true,
            paramLabel = "<format>",
            completionCandidates = WriteOptions.FormatNames.class,
            description = "The format to write: ${COMPLETION-CANDIDATES}.")
    String to = "";

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Option(
            names = ANY_ROOM,
            description = "Freeze a live guest although its core may be larger than the room on the disk, which is not known "
                    + "before it is written. If the disk fills up, nothing is left.")
    boolean anyRoom;

    @Option(
            names = "--exclude",
            split = ",",
            paramLabel = "<kind>",
            completionCandidates = ExcludedPages.Names.class,
            description = "Leave pages out of a Linux guest, with --to elf and kdump: ${COMPLETION-CANDIDATES}; several with "
                    + "commas between them. free: nobody uses them; cache: copies of what is in files; private-cache: these, and "
                    + "those with data of the file system; user: memory of processes that is of no file; zero: zeros; "
                    + "all: all of these. A page whose kind cannot be read stays.")
    List<String> excluded = new ArrayList<>();

    @Option(
            names = "--manifest",
            description = "Also write <file>.manifest.json, with SHA-256 of the file and of the guest's memory and the "
                    + "facts of the capture, and <file>.sha256 for 'sha256sum -c'.")
    boolean manifest;

    @Option(
            names = "--manifest-file",
            paramLabel = "<manifest>",
            description = "Write the manifest to this file instead; required with '-o -'.")
    @Nullable
    String manifestFile;

    @Mixin
    ProgressOption progress = new ProgressOption();

    private long expectedBytes;

    /** Talks to {@code console}. */
    WritingVerb(Console console) {
        super(console);
    }

    /** Writes the guest of a source as the options say. */
    final int deliver(String location) throws Exception {
        boolean stream = output.equals(FileNames.STANDARD_OUTPUT);
        CoreFormat format = WriteOptions.format(spec, to);
        CoreWriter writer = WriteOptions.writer(spec, format);
        if (stream && force) {
            throw usage("--force makes no sense with '-o -'");
        }
        if (stream && console().terminal().out()) {
            throw usage("standard output is a terminal; send it to a pipe or a file, or name a file with -o");
        }
        if (stream && manifest && manifestFile == null) {
            throw usage("with '-o -' name a file for the manifest: --manifest-file FILE");
        }
        Optional<ExcludedPages> exclusion = ExcludedPages.of(this, excluded, format);
        PrintStream report = stream ? console().err() : console().out();
        Style style = stream ? console().errorStyle() : console().style();
        FreezeRequest request = freezing(choice -> {
            if (choice.method() != FreezeMethod.DIRECT) {
                // Memory is read first and written then.
                progress(progress.mode).expect(expectedBytes);
            }
            if (!json) {
                report.println(style.heading("by") + "    " + Printable.of(line(choice)));
                if (choice.method() != FreezeMethod.DIRECT) {
                    report.println(style.heading("host") + "  " + effects(choice.method()));
                }
                report.flush();
            }
        });
        CaptureReport outcome = unwinding(() -> {
            try (GuestSource source = source(location);
                    ShownProgress shown = progress(progress.mode)) {
                expectedBytes = Capture.expectedBytes(source);
                shown.expect(expectedBytes);
                if (!json) {
                    announce(source, format, report, style);
                }
                Capture capture = capture(source, writer).freezing(request).withProgress(shown);
                exclusion.ifPresent(pages -> capture.through(guest -> pages.leaveOut(guest, shown)));
                return write(capture, stream);
            }
        });
        if (json) {
            Map<String, Object> document = ReportJson.of(outcome, output);
            exclusion.ifPresent(pages -> document.put("excluded", pages.json()));
            Json.write(report, Json.document(spec.name(), document));
        } else {
            describe(outcome, format, report, style);
            exclusion.ifPresent(pages -> pages.describe(report, style));
            outcome.freeze().map(Freeze::findings).orElse(List.of())
                    .forEach(finding -> report.println(style.odd("note") + "  " + Printable.of(finding.message())));
            if (!stream) {
                report.println("next  "
                        + style.command(
                                Text.program() + " verify " + (manifest ? "--manifest " : "") + Text.quoted(output)));
            }
        }
        return report(outcome.findings());
    }

    private Capture capture(GuestSource source, CoreWriter writer) {
        Capture capture = Capture.of(source)
                .to(writer)
                .withTool("guestcore " + Build.version())
                .withListener(finding -> console().remark(finding.isDamage()
                        ? Findings.remark(finding)
                        : Failures.PREFIX + Printable.of(finding.message())));
        if (manifestFile != null) {
            capture.withManifest(FileNames.fileToWrite(manifestFile));
        } else if (manifest) {
            capture.withManifest();
        }
        if (anyRoom) {
            capture.intoAnyRoom();
        }
        return force ? capture.replacing() : capture;
    }

    private CaptureReport write(Capture capture, boolean stream) {
        if (stream) {
            WritableByteChannel channel = console().outChannel();
            console().cancellation().closeOnRequest(channel);
            return capture.write(channel, "standard output");
        }
        try {
            return capture.write(FileNames.fileToWrite(output));
        } catch (MayNotFitException e) {
            throw new OutputException(e.getMessage() + ", or try it with " + ANY_ROOM, e);
        }
    }

    /** Finds the guest. */
    GuestSource source(String location) {
        try (ShownProgress shown = progress(progress.mode)) {
            return Guests.source(location, Optional.empty(), shown);
        }
    }

    /** How the user wants a live guest to be frozen. */
    FreezeRequest freezing(Consumer<FreezeChoice> listener) {
        return FreezeRequest.shortest().withListener(listener);
    }

    static String line(FreezeChoice choice) {
        String what = switch (choice.method()) {
            case SNAPSHOT -> "the guest runs on while its memory is read";
            case BUFFER -> "the guest stands still while its memory is copied";
            case DIRECT -> "the guest stands still until its memory is written";
        };
        return choice.method().label() + ": " + what + (choice.reason().isEmpty() ? "" : " (" + choice.reason() + ")");
    }

    /** What the host notices of it. */
    static String effects(FreezeMethod method) {
        return switch (method) {
            case SNAPSHOT ->
                    "the guest waits at its first write to each page until the snapshot is read, huge pages of "
                            + "QEMU's are split, shared memory is allocated whole; memory for the guest's pages is taken meanwhile";
            case BUFFER -> "memory for the guest's pages is taken until the file is written";
            case DIRECT -> "the guest does not answer its network and its clock stands until the file is written";
        };
    }

    final void announce(GuestSource source, CoreFormat format, PrintStream report, Style style) {
        long bytes = Capture.expectedBytes(source);
        report.println(style.heading("from") + "  " + Printable.of(source.description()));
        report.println(style.heading("has") + "   " + Text.counted(source.vcpuCount(), "vCPU") + ", "
                + Amounts.human(bytes) + " of memory in " + Text.counted(source.regions().size(), "region"));
        report.println(style.heading("to") + "    "
                + (output.equals(FileNames.STANDARD_OUTPUT) ? "standard output" : Printable.of(output)) + ", "
                + format.title());
        report.flush();
    }

    private static void describe(CaptureReport outcome, CoreFormat format, PrintStream report, Style style) {
        WriteReport written = outcome.written();
        report.println(style.heading("done") + "  " + Amounts.human(written.bytes()) + ", layout " + written.layout()
                + (written.zeroBytes() == 0 ? "" : ", of that " + Amounts.human(written.zeroBytes()) + " zero pages")
                + outcome.frozen().map(time -> "; the guest was frozen for " + Text.time(time)).orElse(""));
        outcome.freeze().ifPresent(freeze -> report.println(style.heading("time") + "  "
                + (freeze.reading().isZero()
                        ? ""
                        : (outcome.inOnePass() ? "read and wrote in " : "read in ") + Text.time(freeze.reading())
                                + ", ")
                + (outcome.inOnePass() ? "completed in " : "wrote in ") + Text.time(outcome.writing())));
        if (written.unreadableBytes() > 0) {
            report.println(style.odd("unreadable") + "  " + Amounts.human(written.unreadableBytes())
                    + " of memory could not be read and are zeros in the file:");
            list(written.unreadable().stream().map(AddressRange::toString).toList(), report);
        }
        written.notes().forEach(note -> report.println(style.odd("note") + "  " + Printable.of(note.message())));
        List<Loss> losses = written.losses();
        if (!losses.isEmpty()) {
            boolean canKeep = format.writeOptions().stream().anyMatch(option -> option.name().equals(KEEP))
                    && losses.stream().anyMatch(loss -> !loss.kept());
            report.println(style.odd("lost") + "  " + Text.counted(losses.size(), "fact")
                    + " that this format cannot carry" + (canKeep ? " (--" + KEEP + " takes them along):" : ":"));
            list(losses.stream().map(WritingVerb::line).toList(), report);
        }
        List<Finding> omitted = Findings.omitted(outcome.findings());
        if (!omitted.isEmpty()) {
            report.println(style.odd("lost") + "  " + Text.counted(omitted.size(), "thing")
                    + " of the source that Guestcore does not read:");
            list(omitted.stream().map(finding -> Printable.of(finding.message())).toList(), report);
        }
    }

    private static String line(Loss loss) {
        return Printable.of(WriteOptions.asTyped(loss.what() + ": " + loss.why()))
                + (loss.kept() ? " (kept in Guestcore's own record)" : "");
    }

    private static void list(List<String> lines, PrintStream report) {
        lines.stream().limit(MOST_LINES).forEach(line -> report.println("  " + line));
        if (lines.size() > MOST_LINES) {
            report.println("  … and " + Amounts.count(lines.size() - MOST_LINES) + " more (--json lists all)");
        }
    }
}

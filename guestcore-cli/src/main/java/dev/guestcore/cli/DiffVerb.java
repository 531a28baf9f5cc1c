package dev.guestcore.cli;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.file.Locations;
import dev.guestcore.inspect.ChangeCollector;
import dev.guestcore.inspect.GuestComparison;
import dev.guestcore.inspect.MemoryMap;
import dev.guestcore.inspect.SvgMap;
import dev.guestcore.inspect.TextMap;
import dev.guestcore.json.ReportJson;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore diff}. */
@Command(
        name = "diff",
        description = {
            "Compare two guests, page by page and register by register, and draw where memory changed.",
            "",
            "Exit code 0 if all memory, and every register that both know, is the same; 1 if not; 3 if a source is "
                    + "damaged. The formats of the two need not be the same."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore diff before.core after.core",
            "  guestcore diff --svg changes.svg before.core qemu:/run/vm.qmp"
        })
final class DiffVerb extends Verb {

    @Parameters(
            index = "0",
            paramLabel = "<here>",
            description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String here = "";

    @Parameters(index = "1", paramLabel = "<there>", description = "Another core file or live source.")
    String there = "";

    @Option(
            names = "--svg",
            paramLabel = "<file>",
            description = "Draw where memory changed as an SVG picture in this file; '-' is standard output.")
    @Nullable
    String svg;

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Option(names = "--all", description = "List all registers and up to 1000 ranges of each kind, not the first few.")
    boolean all;

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    DiffVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        boolean pictureOut = FileNames.STANDARD_OUTPUT.equals(svg);
        if (force && (svg == null || pictureOut)) {
            throw usage("--force needs --svg with a file");
        }
        if (json && pictureOut) {
            throw usage("standard output takes either --json or the picture");
        }
        return unwinding(() -> {
            try (FreezeOption.Look look = freeze.look(this);
                    FreezeOption.Look otherLook = freeze.look(this);
                    Guest left = look.open(here, FreezeOption.Need.MUCH, progress.mode);
                    Guest right = otherLook.open(there, FreezeOption.Need.MUCH, progress.mode)) {
                ChangeCollector changes = ChangeCollector.between(left, right);
                GuestComparison result = compare(left, right, changes);
                if (svg != null && !pictureOut) {
                    Pictures.write(svg, force, SvgMap.render(changes.map()));
                }
                if (pictureOut) {
                    console().out().print(SvgMap.render(changes.map()));
                } else if (json) {
                    printJson(json(result));
                } else {
                    describe(result, changes.map());
                }
                return exitCode(result, left, right);
            }
        });
    }

    private GuestComparison compare(Guest left, Guest right, ChangeCollector changes) {
        try (ShownProgress shown = progress(progress.mode)) {
            return GuestComparison.compare(left, right, changes::add, shown);
        }
    }

    private int exitCode(GuestComparison result, Guest left, Guest right) {
        List<Finding> findings = new ArrayList<>(left.findings());
        findings.addAll(right.findings());
        int damage = report(findings);
        if (damage != ExitCode.DONE) {
            return damage;
        }
        return result.agrees() ? ExitCode.DONE : ExitCode.FAILED;
    }

    private void describe(GuestComparison result, MemoryMap changes) {
        Style style = console().style();
        print("  here       " + style.heading(Printable.of(here)));
        print("  there      " + style.heading(Printable.of(there)));
        new Comparison.Report(result, here, there, all, this::print, style).memory().registers();
        if (!result.isSameMemory()) {
            print("");
            console().out().print(TextMap.render(changes, MapVerb.style(console())));
        }
    }

    private Map<String, Object> json(GuestComparison result) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("here", Locations.printable(here));
        document.put("there", Locations.printable(there));
        document.putAll(ReportJson.of(result));
        return document;
    }
}

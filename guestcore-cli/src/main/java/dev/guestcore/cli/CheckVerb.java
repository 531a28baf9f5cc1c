package dev.guestcore.cli;

import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.linux.CheckFinding;
import dev.guestcore.linux.CheckFinding.Category;
import dev.guestcore.linux.KernelCheck;
import dev.guestcore.linux.Linux;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;

/** {@code guestcore check}. */
@Command(
        name = "check",
        description = {
            "Look for signs of tampering and of trouble in a Linux guest: hidden processes and modules, changed tables of "
                    + "system calls, interrupts and functions, changed kernel code, tasks that hang or wait for each other, "
                    + "lockups, taint.",
            "",
            "Only the guest's memory is needed. A finding is evidence; no finding is no proof. Exit code 3 if signs of "
                    + "tampering or of trouble are found, or if memory is damaged or missing; notes alone do not count."
        },
        footer = {"", "Examples:", "  guestcore check vm.core", "  guestcore check vm.core --json"})
final class CheckVerb extends LinuxListVerb {

    CheckVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        KernelCheck check = linux.check();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", source);
            document.put("findings", check.findings().stream().map(CheckVerb::json).toList());
            document.put("checks", check.checks());
            document.put("notJudged", check.notJudged());
            document.put("problems", check.problems());
            printJson(document);
        } else {
            print(check);
        }
        boolean bad = check.findings().stream().anyMatch(finding -> finding.category() != Category.NOTE);
        int code = problems(check.problems());
        return bad ? ExitCode.DAMAGED : code;
    }

    private void print(KernelCheck check) {
        Style style = console().style();
        for (CheckFinding finding : check.findings()) {
            String category = "%-10s".formatted(Names.of(finding.category()));
            String painted = switch (finding.category()) {
                case NOTE -> category;
                case TROUBLE -> style.odd(category);
                case TAMPERING -> style.bad(category);
            };
            print(painted + " " + finding.id() + ": " + Printable.of(finding.message()));
            finding.address().ifPresent(address -> print("           at       " + Json.address(address)));
            finding.expected().ifPresent(expected -> print("           expected " + Printable.of(expected)));
            finding.found().ifPresent(found -> print("           found    " + Printable.of(found)));
        }
        if (check.findings().isEmpty()) {
            print(style.good("no signs of tampering or trouble found"));
        }
        print(style.faint("checked: " + String.join(", ", check.checks())));
        check.notJudged().forEach(line -> print(style.faint("not judged: " + Printable.of(line))));
    }

    private static Map<String, Object> json(CheckFinding finding) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("id", finding.id());
        json.put("category", Names.of(finding.category()));
        json.put("message", finding.message());
        finding.address().ifPresent(address -> json.put("address", Json.address(address)));
        finding.expected().ifPresent(expected -> json.put("expected", expected));
        finding.found().ifPresent(found -> json.put("found", found));
        return json;
    }
}

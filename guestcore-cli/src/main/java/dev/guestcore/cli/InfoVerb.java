package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Guests;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Provenance;
import dev.guestcore.hypervisor.HypervisorFacts;
import dev.guestcore.hypervisor.VmcoreInfoFacts;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.MemorySummary;
import dev.guestcore.inspect.Sizes;
import dev.guestcore.inspect.VmcoreInfo;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore info}. */
@Command(
        name = "info",
        description = {
            "Show what a core file or a live guest is.",
            "",
            "Format, layout, hypervisor, vCPUs, memory map, the guest's kernel and how debuggers open it, and what is "
                    + "odd. Quick on a file of any size, because pages are read with --scan only.",
            "",
            "What is said of the kernel is derived from registers and memory; each fact comes with how, and how sure "
                    + "it is: certain, likely or doubtful."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore info --scan vm.core",
            "  guestcore info --vmcoreinfo vm.core > vmcoreinfo.txt"
        })
final class InfoVerb extends Verb {

    /** More regions than this are only counted, unless asked for. */
    private static final int MOST_REGIONS = 40;
    /** Looking at page states is worth so many steps, which take a few milliseconds. */
    private static final long MOST_RUNS = 100_000;
    private static final int MOST_FINDINGS = 40;

    @Parameters(paramLabel = "<source>", description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Option(
            names = "--scan",
            description = "Also read all pages: how many are zero, unreadable, duplicates; and search them for what the "
                    + "kernel says of itself.")
    boolean scan;

    @Option(names = "--all", description = "List all regions and findings, however many there are.")
    boolean all;

    @Option(
            names = "--vmcoreinfo",
            description = "Print what a Linux kernel tells dump analysers about itself, and nothing else; exit code 1 "
                    + "if memory has no such text.")
    boolean vmcoreInfo;

    @Option(names = "--json", description = "Print JSON.")
    boolean json;

    @Mixin
    ProgressOption progress = new ProgressOption();

    InfoVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        if (vmcoreInfo && (scan || all || json)) {
            throw usage("--vmcoreinfo prints a text and nothing else; --scan --json has it too");
        }
        return unwinding(() -> {
            try (Guest guest = Guests.open(source)) {
                if (vmcoreInfo) {
                    return printVmcoreInfo(guest);
                }
                MemorySummary summary = MemorySummary.of(guest.memory(), MOST_RUNS);
                Optional<MemoryScan> scanned = scan ? Optional.of(scan(guest)) : Optional.empty();
                KernelSection kernel = kernel(guest);
                if (json) {
                    printJson(json(guest, summary, scanned, kernel));
                } else {
                    describe(guest, summary);
                    scanned.ifPresent(this::describe);
                    kernel.lines(console().style(), console().terminal().width()).forEach(this::print);
                    describeFindings(guest.findings());
                }
                return exitCode(guest);
            }
        });
    }

    /** The findings stand in the output already; a script that throws that away still learns of the damage. */
    private int exitCode(Guest guest) {
        int damages = Findings.damage(guest.findings()).size();
        if (damages == 0) {
            return ExitCode.DONE;
        }
        remark("guestcore: " + Printable.of(source) + " is damaged in " + Text.counted(damages, "place")
                + ", see above; what could be read was");
        return ExitCode.DAMAGED;
    }

    private KernelSection kernel(Guest guest) {
        if (!scan) {
            return KernelSection.glance(guest, source);
        }
        try (ShownProgress shown = progress(progress.mode)) {
            shown.begin("searching for the kernel", readableBytes(guest));
            return KernelSection.search(guest, source, shown);
        }
    }

    private int printVmcoreInfo(Guest guest) {
        Optional<String> found = guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::text);
        if (found.isEmpty()) {
            try (ShownProgress shown = progress(progress.mode)) {
                shown.begin("searching for VMCOREINFO", readableBytes(guest));
                found = VmcoreInfo.find(guest.memory(), shown).map(VmcoreInfo::text);
            }
        }
        // Whoever made the dump must not command the terminal.
        found.ifPresent(text -> text.lines().forEach(line -> print(Printable.of(line))));
        int code = report(guest.findings());
        if (found.isEmpty()) {
            remark("guestcore: " + Printable.of(source)
                    + ": memory has no VMCOREINFO: no Linux, or one that keeps none");
            return ExitCode.FAILED;
        }
        return code;
    }

    private static long readableBytes(Guest guest) {
        return guest.memory().regions().stream()
                .filter(MemoryRegion::hasContent)
                .mapToLong(region -> region.range().last() - region.range().first() + 1)
                .sum();
    }

    private MemoryScan scan(Guest guest) {
        try (ShownProgress shown = progress(progress.mode)) {
            return MemoryScan.run(guest.memory(), shown);
        }
    }

    private void describe(Guest guest, MemorySummary summary) {
        Style style = console().style();
        Provenance origin = guest.provenance();
        print(style.heading(Printable.of(origin.source())));
        Table facts = new Table("", "");
        facts.row("format", FormatNames.title(origin.format()));
        row(facts, "layout", Optional.of(origin.layout()));
        row(facts, "hypervisor", origin.hypervisor()
                .map(name -> name + origin.hypervisorVersion().map(version -> " " + version).orElse("")));
        row(facts, "taken", origin.takenAt().map(Object::toString));
        facts.row("vCPUs", guest.vcpus().size() + " (" + Names.of(guest.architecture()) + ")");
        for (MemoryRegion.Kind kind : MemoryRegion.Kind.values()) {
            MemorySummary.KindTotal total = summary.kinds().get(kind);
            if (total.regionCount() > 0) {
                facts.row(Text.kind(kind), Sizes.human(total.bytes()) + " in "
                        + Text.counted(total.regionCount(), "region"));
            }
        }
        for (PageState state : PageState.values()) {
            if (!state.isReadable() && summary.bytes(state) > 0) {
                facts.row(Names.of(state), Sizes.human(summary.bytes(state)) + " of RAM and ROM"
                        + (summary.statesComplete() ? "" : " at least"));
            }
        }
        for (HypervisorFacts known : guest.facts()) {
            if (known instanceof VmcoreInfoFacts) {
                // The section on the kernel says the same and more.
                continue;
            }
            known.describe().forEach((name, value) -> {
                boolean said = origin.hypervisorVersion().equals(Optional.of(value));
                row(facts, name, said ? Optional.empty() : Optional.of(value));
            });
        }
        facts.lines(style).forEach(this::print);
        describeRegions(guest.memory().regions());
    }

    private static void row(Table table, String name, Optional<String> value) {
        value.filter(text -> !text.isEmpty()).ifPresent(text -> table.row(Printable.of(name), Printable.of(text)));
    }

    private void describeRegions(List<MemoryRegion> regions) {
        print("");
        print(console().style().heading("memory map"));
        if (regions.isEmpty()) {
            print("  no memory");
            return;
        }
        Table table = new Table("first", "last", "size>", "kind", "name");
        long most = all ? Long.MAX_VALUE : MOST_REGIONS;
        long shown = 0;
        for (MemoryRegion region : regions) {
            if (shown++ == most) {
                break;
            }
            AddressRange range = region.range();
            table.row(
                    Json.address(range.first()),
                    Json.address(range.last()),
                    Sizes.human(range),
                    Text.kind(region.kind()),
                    Printable.of(region.name()));
        }
        table.lines(console().style()).forEach(this::print);
        if (regions.size() > most) {
            print("  … and " + Text.counted(regions.size() - most, "region") + " more (--all lists them)");
        }
    }

    private void describe(MemoryScan result) {
        Style style = console().style();
        print("");
        print(style.heading("pages") + " (of 4 KiB)");
        Table table = new Table("", ">");
        table.row("present", Sizes.count(result.presentPages()));
        table.row("zero", Sizes.count(result.zeroPages()));
        table.row("duplicate", (result.exact() ? "" : "about ") + Sizes.count(result.duplicatePages()));
        table.row("excluded", Sizes.count(result.excludedPages()));
        table.row("unreadable", Sizes.count(result.unreadablePages()));
        table.row("absent", Sizes.count(result.absentPages()));
        table.row("all", Sizes.count(result.pages()));
        table.lines(style).forEach(this::print);
        if (!result.unreadable().isEmpty()) {
            print("unreadable");
            result.unreadable().listed().stream()
                    .limit(all ? Long.MAX_VALUE : MOST_REGIONS)
                    .forEach(range -> print("  " + range));
        }
    }

    private void describeFindings(List<Finding> findings) {
        print("");
        Style style = console().style();
        if (findings.isEmpty()) {
            print(style.good("nothing odd"));
            return;
        }
        print(style.heading("what is odd"));
        long most = all ? Long.MAX_VALUE : MOST_FINDINGS;
        findings.stream().limit(most).forEach(finding -> print(Findings.line(finding, style)));
        if (findings.size() > most) {
            print("  … and " + Text.counted(findings.size() - most, "finding") + " more (--all lists them)");
        }
    }

    private static Map<String, Object> json(
            Guest guest, MemorySummary summary, Optional<MemoryScan> scan, KernelSection kernel) {
        Provenance origin = guest.provenance();
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", origin.source());
        document.put("format", origin.format());
        document.put("layout", origin.layout());
        origin.hypervisor().ifPresent(name -> document.put("hypervisor", name));
        origin.hypervisorVersion().ifPresent(version -> document.put("hypervisorVersion", version));
        origin.takenAt().ifPresent(time -> document.put("takenAt", time.toString()));
        document.put("architecture", Names.of(guest.architecture()));
        document.put("vcpus", guest.vcpus().size());
        Map<String, Object> memory = new LinkedHashMap<>();
        for (MemoryRegion.Kind kind : MemoryRegion.Kind.values()) {
            memory.put(Names.of(kind) + "Bytes", summary.bytes(kind));
        }
        for (PageState state : PageState.values()) {
            memory.put(Names.of(state) + "Bytes", summary.bytes(state));
        }
        memory.put("statesComplete", summary.statesComplete());
        memory.put("regionCount", summary.regionCount());
        memory.put("holeCount", summary.holeCount());
        memory.put("regions", (Iterable<Object>) () ->
                guest.memory().regions().stream().<Object>map(InfoVerb::json).iterator());
        document.put("memory", memory);
        Map<String, Object> facts = new LinkedHashMap<>();
        guest.facts().forEach(known -> facts.putAll(known.describe()));
        document.put("facts", facts);
        scan.ifPresent(result -> document.put("scan", json(result)));
        kernel.addTo(document);
        document.put("findings", Findings.json(guest.findings()));
        return document;
    }

    private static Map<String, Object> json(MemoryRegion region) {
        Map<String, Object> json = new LinkedHashMap<>(Json.range(region.range()));
        json.put("kind", Names.of(region.kind()));
        json.put("name", region.name());
        return json;
    }

    private static Map<String, Object> json(MemoryScan result) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pages", result.pages());
        json.put("presentPages", result.presentPages());
        json.put("zeroPages", result.zeroPages());
        json.put("excludedPages", result.excludedPages());
        json.put("unreadablePages", result.unreadablePages());
        json.put("absentPages", result.absentPages());
        json.put("distinctContents", result.distinctContents());
        json.put("duplicatePages", result.duplicatePages());
        json.put("exact", result.exact());
        json.put("unreadable", result.unreadable().listed().stream().map(Json::range).toList());
        return json;
    }
}

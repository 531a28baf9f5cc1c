package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Provenance;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.MemorySummary;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.json.ReportJson;
import dev.guestcore.kernel.VmcoreInfoChoice;
import java.time.Duration;
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
            "The system and its kernel, since when a Linux guest runs, its last words, where each vCPU is, findings, format, memory map, how debuggers open it, and "
                    + "what to type next. Quick on a file of any size, because it reads all pages only with --scan.",
            "",
            "Facts about the kernel are derived from registers and memory; each comes with the way it was derived, and "
                    + "says whether it is certain, likely or doubtful."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore info --scan vm.core",
            "  guestcore info --vmcoreinfo vm.core > vmcoreinfo.txt"
        })
final class InfoVerb extends Verb {

    /** Looking at page states is worth so many steps, which take a few milliseconds. */
    private static final long MOST_RUNS = 100_000;

    /** A search of memory that takes no longer is made unasked. */
    private static final Duration QUICK = Duration.ofMillis(900);

    /** The same where a guest stands still meanwhile. */
    private static final Duration LIVE = Duration.ofMillis(100);

    @Parameters(paramLabel = "<source>", description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Option(
            names = "--scan",
            description = "Also read all pages: count those that are zero, unreadable or duplicates, and search for "
                    + "what the kernel says about itself.")
    boolean scan;

    @Option(names = "--all", description = "List all regions and findings, however many there are.")
    boolean all;

    @Option(
            names = "--vmcoreinfo",
            description = "Print what a Linux kernel tells dump analysers about itself, and nothing else; exit code 1 "
                    + "if memory has no such text.")
    boolean vmcoreInfo;

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    @Mixin
    CacheOption cache = new CacheOption();

    InfoVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        if (vmcoreInfo && (scan || all || json)) {
            throw usage("--vmcoreinfo prints nothing but the text; with --json use --scan, whose output contains it");
        }
        return unwinding(() -> {
            try (FreezeOption.Look look = freeze.look(this);
                    Guest guest = look.open(source, need(), progress.mode, this::show)) {
                return vmcoreInfo ? printVmcoreInfo(guest) : show(guest);
            }
        });
    }

    private FreezeOption.Need need() {
        return scan || vmcoreInfo ? FreezeOption.Need.MUCH : FreezeOption.Need.LITTLE;
    }

    private int show(Guest guest) {
        MemorySummary summary = MemorySummary.of(guest.memory(), MOST_RUNS);
        if (scan) {
            // Once for the pages, and once for the kernel.
            progress(progress.mode).expect(2 * readableBytes(guest));
        }
        Optional<MemoryScan> scanned = scan ? Optional.of(scan(guest)) : Optional.empty();
        KernelSection kernel = kernel(guest);
        Optional<LinuxSection> linux = linux(guest, kernel);
        if (json) {
            printJson(json(guest, summary, scanned, kernel, linux));
        } else {
            InfoText text = new InfoText(guest, source, all, console(), this::print);
            text.print(summary, scanned, kernel, linux);
        }
        return exitCode(guest);
    }

    /** The findings stand in the output already; a script that throws that away still learns of the damage. */
    private int exitCode(Guest guest) {
        int damages = Findings.damage(guest.findings()).size();
        if (damages == 0) {
            return ExitCode.DONE;
        }
        remark("guestcore: " + Printable.location(source) + " is damaged in " + Text.counted(damages, "place")
                + ", see above; the rest was read");
        return ExitCode.DAMAGED;
    }

    private KernelSection kernel(Guest guest) {
        if (!scan) {
            // Where there are registers, a glance finds what there is.
            boolean registers = guest.vcpus().stream().anyMatch(vcpu -> !vcpu.registers().known().isEmpty());
            return registers || guest.facts(VmcoreInfoFacts.class).isPresent()
                    ? KernelSection.glance(guest, source)
                    : KernelSection.searchWithin(guest, source, guest.freeze().isPresent() ? LIVE : QUICK,
                            Progress.none());
        }
        try (ShownProgress shown = progress(progress.mode)) {
            shown.begin("searching for the kernel", readableBytes(guest));
            return KernelSection.search(guest, source, shown);
        }
    }

    /** A live guest does not stand still for it unasked. */
    private Optional<LinuxSection> linux(Guest guest, KernelSection kernel) {
        boolean isLinux = kernel.system().filter(system -> system.startsWith("Linux ")).isPresent();
        if (!isLinux || guest.freeze().isPresent() && !scan) {
            return Optional.empty();
        }
        try (ShownProgress shown = progress(progress.mode)) {
            return LinuxSection.of(guest, scan, cache.of(source), scan ? shown : Progress.none());
        }
    }

    private int printVmcoreInfo(Guest guest) {
        Optional<String> found = guest.facts(VmcoreInfoFacts.class).map(VmcoreInfoFacts::text);
        if (found.isEmpty()) {
            try (ShownProgress shown = progress(progress.mode)) {
                shown.begin("searching for VMCOREINFO", readableBytes(guest));
                Optional<VmcoreInfoChoice> choice = VmcoreInfoChoice.search(guest, shown);
                found = choice.map(one -> one.chosen().text());
                choice.filter(VmcoreInfoChoice::isAmongSeveral).ifPresent(this::remarkOnChoice);
            }
        }
        // Whoever made the dump must not command the terminal.
        found.ifPresent(text -> text.lines().forEach(line -> print(Printable.of(line))));
        int code = report(guest.findings());
        if (found.isEmpty()) {
            remark("guestcore: " + Printable.location(source)
                    + ": memory has no VMCOREINFO: no Linux, or one that keeps none");
            return ExitCode.FAILED;
        }
        return code;
    }

    private void remarkOnChoice(VmcoreInfoChoice choice) {
        remark("guestcore: " + choice.doubt()
                .orElseGet(() -> "memory holds VMCOREINFO texts at guest-physical " + choice.places() + "; the one at "
                        + Json.address(choice.chosen().address()) + " agrees with the page tables and is printed"));
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

    private static Map<String, Object> json(
            Guest guest,
            MemorySummary summary,
            Optional<MemoryScan> scan,
            KernelSection kernel,
            Optional<LinuxSection> linux) {
        Provenance origin = guest.provenance();
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", origin.source());
        document.put("format", origin.format());
        document.put("layout", origin.layout());
        origin.hypervisor().ifPresent(name -> document.put("hypervisor", name));
        origin.hypervisorVersion().ifPresent(version -> document.put("hypervisorVersion", version));
        origin.takenAt().ifPresent(time -> document.put("takenAt", time.toString()));
        Architecture told = guest.architecture();
        document.put(
                "architecture",
                (told == Architecture.UNKNOWN ? kernel.architecture().orElse(told) : told).name());
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
        memory.put("regions",
                (Iterable<Object>) () -> guest.memory().regions().stream().<Object>map(ReportJson::of).iterator());
        document.put("memory", memory);
        Map<String, Object> facts = new LinkedHashMap<>();
        guest.facts().forEach(known -> facts.putAll(known.describe()));
        document.put("facts", facts);
        scan.ifPresent(result -> document.put("scan", ReportJson.of(result)));
        kernel.addTo(document);
        linux.ifPresent(section -> document.put("linux", section.json()));
        document.put("findings", Findings.json(guest.findings()));
        return document;
    }
}

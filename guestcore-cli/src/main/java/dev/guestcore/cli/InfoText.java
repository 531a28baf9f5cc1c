package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Provenance;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.Locations;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.inspect.MemorySummary;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.open.Guests;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/** What {@code info} tells people, in the order in which they ask: what is it, is it well, what do I type next. */
final class InfoText {

    /** More regions, vCPUs or findings than this are only counted, unless asked for. */
    private static final int MOST_REGIONS = 16;
    private static final int MOST_VCPUS = 16;
    private static final int MOST_FINDINGS = 40;
    private static final int LABEL_WIDTH = 20;
    private static final DateTimeFormatter TIME =
            DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT).withZone(ZoneOffset.UTC);

    private final Guest guest;
    private final String source;
    private final boolean all;
    private final Style style;
    private final int width;
    private final int proseWidth;
    private final Consumer<String> print;

    /**
     * Tells of a guest.
     *
     * @param source what was opened, as it was typed
     * @param all whether to list everything, however much there is
     * @param print takes the lines
     */
    InfoText(Guest guest, String source, boolean all, Console console, Consumer<String> print) {
        this.guest = guest;
        this.source = source;
        this.all = all;
        this.style = console.style();
        this.width = console.lineWidth();
        this.proseWidth = console.proseWidth();
        this.print = print;
    }

    /** Prints everything. */
    void print(MemorySummary summary, Optional<MemoryScan> scan, KernelSection kernel, Optional<LinuxSection> linux) {
        headline(summary, kernel);
        linux.ifPresent(section -> section.lines(style).forEach(print));
        kernel.lines(style, Math.min(width, proseWidth)).forEach(print);
        vcpus(linux);
        findings(kernel);
        format(summary);
        scan.ifPresent(this::pages);
        regions();
        next(kernel, linux.isPresent());
    }

    /** First what kind of system it is, then in which file it was found. */
    private void headline(MemorySummary summary, KernelSection kernel) {
        Provenance origin = guest.provenance();
        List<String> what = new ArrayList<>();
        what.add(kernel.system().orElse("Unknown operating system"));
        machine(kernel).ifPresent(what::add);
        kernel.panic().ifPresentOrElse(
                panic -> what.add("panicked"),
                () -> guest.freeze().ifPresent(freeze -> what.add(freeze.wasRunning() ? "running" : "not running")));
        origin.takenAt().ifPresent(time -> what.add("captured " + time(time)));
        print.accept(style.heading(Printable.of(String.join(", ", what))));
        String hypervisor = origin.hypervisor()
                .map(name -> ", " + name + origin.hypervisorVersion().map(version -> " " + version).orElse(""))
                .orElse("");
        print.accept(
                Printable.of(Locations.printable(source) + ": " + FormatNames.title(origin.format()) + hypervisor + "; "
                        + Text.counted(guest.vcpus().size(), "vCPU") + ", "
                        + Amounts.human(summary.bytes(MemoryRegion.Kind.RAM))
                        + " RAM"));
    }

    /** "2023-11-14 22:13:20 UTC". */
    static String time(Instant time) {
        return TIME.format(time);
    }

    private Optional<String> machine(KernelSection kernel) {
        if (guest.vcpus().isEmpty() && guest.facts(ElfFacts.class).isEmpty()) {
            // Nothing but memory: the source does not say of which machine.
            return kernel.machine();
        }
        if (guest.architecture() != Architectures.X86) {
            return guest.facts(ElfFacts.class)
                    .flatMap(ElfFacts::machineName)
                    .or(() -> guest.architecture() == Architecture.UNKNOWN
                            ? kernel.machine()
                            : Optional.of(guest.architecture().title()));
        }
        boolean wide = kernel.isWide() || guest.vcpus().stream().anyMatch(this::isWide);
        return Optional.of(wide ? "x86-64" : "x86");
    }

    private boolean isWide(Vcpu vcpu) {
        if (guest.architecture().mode(vcpu.registers()).startsWith("64-bit")) {
            return true;
        }
        try {
            PagingMode mode = AddressSpace.of(guest, vcpu).paging().mode();
            return mode == X86PagingMode.FOUR_LEVEL || mode == X86PagingMode.FIVE_LEVEL;
        } catch (UnknownRegisterException | UnsupportedRequestException e) {
            // It cannot be told how this one sees memory.
            return false;
        }
    }

    private void vcpus(Optional<LinuxSection> linux) {
        if (guest.vcpus().isEmpty()) {
            return;
        }
        heading("vCPUs");
        Table table = new Table(">", "", "", "", "", "");
        long most = all ? Long.MAX_VALUE : MOST_VCPUS;
        guest.vcpus().stream().limit(most).forEach(vcpu -> {
            List<String> cells = new ArrayList<>(List.of(cells(vcpu)));
            Optional<LinuxSection.Running> running = linux.flatMap(section -> section.running(vcpu.index()));
            cells.add(Printable.of(running.flatMap(LinuxSection.Running::function).orElse("")));
            cells.add(Printable.of(running.map(LinuxSection.Running::who).orElse("")));
            table.row(cells.toArray(String[]::new));
        });
        table.lines(style).forEach(print);
        more(guest.vcpus().size(), most, "vCPU");
    }

    private String[] cells(Vcpu vcpu) {
        RegisterState registers = vcpu.registers();
        String number = Integer.toString(vcpu.index());
        Architecture architecture = guest.architecture();
        String position = architecture.position(registers);
        if (position.isEmpty()) {
            String kept = vcpu.rawContexts().isEmpty() ? "registers unknown" : "registers kept as raw bytes";
            return new String[] {number, kept, "", ""};
        }
        return new String[] {number, architecture.mode(registers), position, architecture.root(registers)};
    }

    private void findings(KernelSection kernel) {
        print.accept("");
        List<Finding> findings = new ArrayList<>();
        kernel.panic().ifPresent(panic -> findings.add(Finding.note("the guest's kernel had panicked: " + panic)));
        findings.addAll(guest.findings());
        if (findings.isEmpty()) {
            print.accept(style.good("no problems found"));
            return;
        }
        print.accept(style.heading("findings"));
        long most = all ? Long.MAX_VALUE : MOST_FINDINGS;
        String prefix = guest.provenance().source() + ": ";
        findings.stream()
                .limit(most)
                .forEach(finding -> Findings.lines(finding, prefix, style, width).forEach(print));
        more(findings.size(), most, "finding");
    }

    private void format(MemorySummary summary) {
        heading("format");
        Provenance origin = guest.provenance();
        fact("format", FormatNames.title(origin.format()));
        fact("layout", origin.layout());
        fact("hypervisor", origin.hypervisor()
                .map(name -> name + origin.hypervisorVersion().map(version -> " " + version).orElse(""))
                .orElse(""));
        fact("captured", origin.takenAt().map(InfoText::time).orElse(""));
        for (DumpFacts known : guest.facts()) {
            // The section on the kernel says the same as VMCOREINFO, and more.
            if (!(known instanceof VmcoreInfoFacts)) {
                known.describe().forEach((name, value) -> {
                    boolean said = origin.hypervisorVersion().equals(Optional.of(value));
                    fact(name, said ? "" : value);
                });
            }
        }
        for (MemoryRegion.Kind kind : MemoryRegion.Kind.values()) {
            MemorySummary.KindTotal total = summary.total(kind);
            if (total.regionCount() > 0) {
                String count = Text.counted(total.regionCount(), "region");
                fact(Text.kind(kind), Amounts.human(total.bytes()) + " in " + count);
            }
        }
        for (PageState state : PageState.values()) {
            if (!state.isReadable() && summary.bytes(state) > 0) {
                fact(Names.of(state), Amounts.human(summary.bytes(state)) + " of RAM and ROM"
                        + (summary.statesComplete() ? "" : " at least"));
            }
        }
    }

    private void fact(String name, String value) {
        if (value.isEmpty()) {
            return;
        }
        String label = Printable.of(name);
        String start = label + " ".repeat(Math.max(2, LABEL_WIDTH - label.length()));
        for (String line : Text.wrap(Printable.of(value), width - LABEL_WIDTH - 2)) {
            print.accept("  " + start + line);
            start = " ".repeat(LABEL_WIDTH);
        }
    }

    private void regions() {
        List<MemoryRegion> regions = guest.memory().regions();
        heading("memory map");
        if (regions.isEmpty()) {
            print.accept("  no memory");
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
                    Amounts.human(range),
                    Text.kind(region.kind()),
                    Printable.of(region.name()));
        }
        table.lines(style).forEach(print);
        more(regions.size(), most, "region");
    }

    private void pages(MemoryScan result) {
        heading("pages of 4 KiB");
        Table table = new Table("", ">");
        table.row("present", Amounts.count(result.presentPages()));
        table.row("zero", Amounts.count(result.zeroPages()));
        table.row("duplicate", (result.exact() ? "" : "about ") + Amounts.count(result.duplicatePages()));
        table.row("excluded", Amounts.count(result.excludedPages()));
        table.row("unreadable", Amounts.count(result.unreadablePages()));
        table.row("absent", Amounts.count(result.absentPages()));
        table.row("all", Amounts.count(result.pages()));
        table.lines(style).forEach(print);
        if (!result.unreadable().isEmpty()) {
            print.accept("unreadable");
            result.unreadable().listed().stream()
                    .limit(all ? Long.MAX_VALUE : MOST_REGIONS)
                    .forEach(range -> print.accept("  " + range));
        }
    }

    /** What to type next: commands that do something on this very source. */
    private void next(KernelSection kernel, boolean told) {
        List<String> advice = kernel.advice(style);
        if (!advice.isEmpty()) {
            print.accept("");
            advice.forEach(print);
        }
        heading("next");
        Table commands = new Table("", "");
        boolean isFile = Guests.isFile(source);
        if (isFile && FileBytes.isStream(Path.of(source))) {
            next(commands, "convert", " -o vm.core --to elf", "keeps it as a file, if the pipe brings it once more");
            commands.lines(style).forEach(print);
            return;
        }
        if (!Findings.damage(guest.findings()).isEmpty() && isFile) {
            next(commands, "verify --deep", "", "shows what is damaged, and where");
        }
        if (guest.freeze().isPresent()) {
            next(commands, "capture", " -o vm.core --to elf", "keeps it as a file");
        }
        boolean hasMemory = !guest.memory().regions().isEmpty();
        if (kernel.system().isEmpty() && !kernel.isSearched() && hasMemory) {
            next(commands, "info --scan", "", "searches all of memory for the kernel");
        }
        if (told || kernel.hasLinuxSymbols()) {
            next(commands, "ps", "", "shows the processes");
            boolean crashed = kernel.panic().isPresent();
            next(commands, "log", crashed ? " --crash" : "",
                    "shows what the kernel logged" + (crashed ? " of the crash" : ""));
            if (!advice.isEmpty()) {
                next(commands, "symbols", " --to vmlinux -o vmlinux",
                        "makes a vmlinux for debuggers, without debug files");
            }
        }
        if (!guest.vcpus().isEmpty()) {
            boolean known = guest.vcpus().stream().anyMatch(vcpu -> !vcpu.registers().known().isEmpty());
            next(commands, "regs", "", known ? "shows all registers" : "shows what the source has of the vCPUs");
        }
        if (hasMemory) {
            next(commands, "map", "", "draws what lies where");
            next(commands, "search", " TEXT", "finds a text in memory");
        }
        commands.lines(style).forEach(print);
    }

    private void next(Table commands, String verb, String rest, String purpose) {
        String named = source.equals("-") ? source : Text.quoted(source);
        String command = Text.program() + " " + verb + " " + named + rest;
        commands.row(style.command(command), style.faint(purpose));
    }

    private void heading(String text) {
        print.accept("");
        print.accept(style.heading(text));
    }

    private void more(long count, long most, String noun) {
        if (count > most) {
            print.accept("  … and " + Text.counted(count - most, noun) + " more (--all lists them)");
        }
    }
}

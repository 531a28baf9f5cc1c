package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.kernel.DebuggerAdvice;
import dev.guestcore.kernel.Derived;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.kernel.VmcoreInfo;
import dev.guestcore.open.Guests;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What {@code info} tells of the guest's kernel, and which debugger opens this very source with which words. */
final class KernelSection {

    private static final String PROGRAM = "guestcore ";
    private static final String PIPE = "| guestcore ";
    private static final int LABEL_WIDTH = 13;

    private static final Pattern MACHINE = Pattern.compile(
            "[-.](amd64|x86_64|arm64|aarch64|armmp|riscv64|s390x|ppc64le|powerpc64le|loongarch64|mips64el|i686|686)\\b");

    private final KernelFacts facts;
    private final boolean searched;
    private final List<DebuggerAdvice> advice;

    private KernelSection(Guest guest, String location, KernelFacts facts, boolean searched) {
        this.facts = facts;
        this.searched = searched;
        this.advice = DebuggerAdvice.of(guest, location, facts, Guests.debuggers(guest)).stream()
                .filter(KernelSection::canBeFollowed)
                .toList();
    }

    /**
     * What registers, page tables and notes tell in milliseconds.
     *
     * @param location what was opened, as it was typed
     */
    static KernelSection glance(Guest guest, String location) {
        return new KernelSection(guest, location, KernelFacts.glance(guest), false);
    }

    /** What a search of all memory tells if it takes no longer than that, and a glance otherwise. */
    static KernelSection searchWithin(Guest guest, String location, Duration time, Progress progress) {
        return KernelFacts.searchWithin(guest, time, progress)
                .map(facts -> new KernelSection(guest, location, facts, true))
                .orElseGet(() -> glance(guest, location));
    }

    /** What a search of all memory tells: then what is not found is known not to be there. */
    static KernelSection search(Guest guest, String location, Progress progress) {
        return new KernelSection(guest, location, KernelFacts.search(guest, progress), true);
    }

    /** What this program cannot do is no advice. */
    private static boolean canBeFollowed(DebuggerAdvice advice) {
        boolean converts = advice.conversion().isEmpty()
                || Guests.formats().stream().anyMatch(format -> format.canWrite()
                        && advice.conversion().get().endsWith(" --to " + format.name()));
        boolean serves = !advice.command().contains(PIPE + "gdb ") || Verbs.names().contains("gdb");
        return converts && serves;
    }

    /** Whether the commands can be promised that show what a Linux guest was doing: since 6.0 the kernel says that it has symbols. */
    boolean hasLinuxSymbols() {
        return facts.vmcoreInfo()
                .filter(info -> info.value().fields().symbol("kallsyms_names").isPresent())
                .isPresent();
    }

    /** Name and version of the system, if they are known. */
    Optional<String> system() {
        return facts.system().map(Derived::value);
    }

    /** What is known of a panic of the kernel. */
    Optional<String> panic() {
        return facts.panic().map(Derived::value);
    }

    /**
     * The machine that the kernel was built for: as its release says, in which distributions name it ("6.1.0-9-arm64",
     * "5.14.0-1.el9.x86_64"), or x86-64 where page tables of that machine map it.
     */
    Optional<String> machine() {
        String release = facts.release().map(Derived::value).orElse("");
        Matcher named = MACHINE.matcher(release);
        if (named.find()) {
            String machine = named.group(1);
            return Optional.of(machine.equals("amd64") || machine.equals("x86_64") ? "x86-64" : machine);
        }
        return facts.pageTableRoot().isPresent() ? Optional.of("x86-64") : Optional.empty();
    }

    /** What that machine is for the guest's processor; empty if nothing in memory tells it. */
    Optional<Architecture> architecture() {
        return machine()
                .flatMap(name -> Architectures.machineOfLabel(name).or(() -> Architectures.machineOfLinuxName(name)))
                .map(machine -> Architectures.ofElf(machine.code(), Long.SIZE));
    }

    /** Whether the kernel is known to be one of x86-64. */
    boolean isWide() {
        return facts.kaslrOffset().isPresent();
    }

    /** Whether all of memory was searched for the kernel. */
    boolean isSearched() {
        return searched;
    }

    /** The section for people; empty of a kernel that is not known. */
    List<String> lines(Style style, int width) {
        List<String> lines = new ArrayList<>();
        if (facts.system().isEmpty() && facts.banner().isEmpty() && facts.vmcoreInfo().isEmpty()) {
            return lines;
        }
        lines.add("");
        lines.add(style.heading("kernel"));
        Rows rows = new Rows(lines, style, Math.min(width, Text.WIDEST));
        rows.add("system", facts.system(), Function.identity());
        rows.add("banner", facts.banner(), Function.identity());
        rows.add("panic", facts.panic(), Function.identity());
        rows.add("build ID", facts.buildId(), Function.identity());
        facts.debugPackage().ifPresent(found -> rows.add(
                "debug file", "package " + found.packageName() + " of " + found.distribution()));
        rows.add("KASLR offset", facts.kaslrOffset(), KernelSection::hex);
        rows.add("phys_base", facts.physicalBase(), KernelSection::hex);
        rows.add("page tables", facts.pageTableRoot(), Object::toString);
        rows.add("VMCOREINFO", facts.vmcoreInfo(), info -> Text.counted(info.bytes().length, "byte"));
        for (VmcoreInfo other : facts.otherVmcoreInfo()) {
            rows.add("", "another at guest-physical " + Json.address(other.address()) + ", which is not used");
        }
        if (facts.vmcoreInfo().isEmpty() && facts.release().isPresent()) {
            rows.add("VMCOREINFO", searched ? "none in memory" : "not searched for; use --scan");
        }
        return lines;
    }

    /** Which debugger opens the source with which words, for people; empty where none is known to. */
    List<String> advice(Style style) {
        List<String> lines = new ArrayList<>();
        if (advice.isEmpty()) {
            return lines;
        }
        lines.add(style.heading("debuggers")
                + style.faint(" (vmlinux: the kernel's debug file; symbols --to vmlinux makes one)"));
        for (DebuggerAdvice one : advice) {
            lines.add("  " + one.tool() + style.faint(": " + Printable.of(one.reason())));
            one.conversion().ifPresent(command -> lines.add("    " + style.command(typed(command))));
            lines.add("    " + style.command(typed(one.command())));
        }
        return lines;
    }

    /** Rows with a value and, below it, how it was found. */
    private record Rows(List<String> lines, Style style, int width) {

        <T> void add(String label, Optional<Derived<T>> fact, Function<T, String> shown) {
            fact.ifPresent(known -> {
                add(label, shown.apply(known.value()));
                String how = Names.of(known.confidence()) + ": " + Printable.of(known.how());
                for (String line : Text.wrap(how, width - LABEL_WIDTH - 2)) {
                    boolean doubtful = known.confidence() == Derived.Confidence.DOUBTFUL;
                    lines.add("  " + " ".repeat(LABEL_WIDTH) + (doubtful ? style.odd(line) : style.faint(line)));
                }
            });
        }

        void add(String label, String value) {
            String start = label + " ".repeat(LABEL_WIDTH - label.length());
            for (String line : Text.wrap(Printable.of(value), width - LABEL_WIDTH - 2)) {
                lines.add("  " + start + line);
                start = " ".repeat(LABEL_WIDTH);
            }
        }
    }

    /** The command with this program as the user called it. */
    private static String typed(String command) {
        String program = Text.program();
        String own = command.startsWith(PROGRAM) ? program + command.substring(PROGRAM.length() - 1) : command;
        // Inside of quotes only a name that needs none can stand.
        return Printable.of(program.startsWith("'") ? own : own.replace(PIPE, "| " + program + " "));
    }

    private static String hex(long value) {
        return value < 0 ? "-" + Json.address(-value) : Json.address(value);
    }

    /** Adds what is known to a document for programs. */
    void addTo(Map<String, Object> document) {
        Map<String, Object> kernel = new LinkedHashMap<>();
        add(kernel, "system", facts.system(), Function.identity());
        add(kernel, "banner", facts.banner(), Function.identity());
        add(kernel, "release", facts.release(), Function.identity());
        add(kernel, "panic", facts.panic(), Function.identity());
        add(kernel, "buildId", facts.buildId(), Function.identity());
        facts.debugPackage().ifPresent(found -> kernel.put(
                "debugPackage", Map.of("distribution", found.distribution(), "package", found.packageName())));
        add(kernel, "kaslrOffset", facts.kaslrOffset(), KernelSection::hex);
        add(kernel, "physicalBase", facts.physicalBase(), KernelSection::hex);
        add(kernel, "pageTableRoot", facts.pageTableRoot(), root -> Json.address(root.value()));
        facts.pageTableRoot().ifPresent(root -> kernel.put("pageTableSpace", root.value().space().title()));
        add(kernel, "vmcoreInfo", facts.vmcoreInfo(), VmcoreInfo::text);
        if (!kernel.isEmpty()) {
            kernel.put("searched", searched);
            document.put("kernel", kernel);
        }
        if (!advice.isEmpty()) {
            document.put("next", advice.stream().map(KernelSection::json).toList());
        }
    }

    private static <T> void add(
            Map<String, Object> kernel, String name, Optional<Derived<T>> fact, Function<T, String> shown) {
        fact.ifPresent(known -> {
            Map<String, Object> json = new LinkedHashMap<>();
            json.put("value", shown.apply(known.value()));
            json.put("how", known.how());
            json.put("confidence", Names.of(known.confidence()));
            kernel.put(name, json);
        });
    }

    private static Map<String, Object> json(DebuggerAdvice advice) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("tool", advice.tool());
        advice.conversion().ifPresent(command -> json.put("conversion", typed(command)));
        json.put("command", typed(advice.command()));
        json.put("reason", advice.reason());
        return json;
    }
}

package dev.guestcore.serve.gdb;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.PageRun;
import dev.guestcore.Provenance;
import dev.guestcore.Vcpu;
import dev.guestcore.address.Translation;
import dev.guestcore.address.WalkStep;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.inspect.MemorySummary;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchHit;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.search.SearchSummary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** The {@code monitor} commands: what a debugger has no words for. Not thread-safe. */
final class Monitor {

    private static final String HELP = """
            monitor info               where the guest comes from, its memory, its vCPUs
            monitor regs [VCPU]        all registers that the source knows
            monitor translate ADDRESS [VCPU]
                                       the walk through the page tables, entry by entry
            monitor search TEXT        where TEXT lies in memory, as UTF-8 and UTF-16
            monitor phys [on|off]      read memory by guest-physical instead of virtual address
            monitor help               this
            An ADDRESS is hexadecimal with 0x, decimal without, or a register such as $rip. A VCPU is a number
            from 0; without it, the vCPU is that of the thread from which the debugger read last.
            """;
    private static final int MOST_HITS = 100;
    private static final int MOST_RUNS = 1 << 20;
    private static final int MOST_VCPUS = 64;
    private static final int LINE_LIMIT = 16_384;
    private static final int REGISTERS_A_LINE = 4;

    private final PacketStream stream;
    private final GuestView view;

    Monitor(PacketStream stream, GuestView view) {
        this.stream = stream;
        this.view = view;
    }

    /** Runs one command and sends what it says, which is not the reply yet. */
    void run(String line) throws IOException {
        String command = line.strip();
        int blank = command.indexOf(' ');
        String verb = blank < 0 ? command : command.substring(0, blank);
        String argument = blank < 0 ? "" : command.substring(blank + 1).strip();
        try {
            switch (verb) {
                case "info" -> info();
                case "regs" -> onVcpu(argument, this::registers);
                case "translate" -> {
                    int end = argument.indexOf(' ');
                    String address = end < 0 ? argument : argument.substring(0, end);
                    onVcpu(end < 0 ? "" : argument.substring(end).strip(), () -> translate(address));
                }
                case "search" -> search(argument);
                case "phys" -> physical(argument);
                case "help", "" -> HELP.stripTrailing().lines().forEach(this::print);
                default -> print("no command '" + cut(verb) + "'; 'monitor help' lists them");
            }
        } catch (UncheckedIOException e) {
            throw e.getCause();
        } catch (GuestcoreException e) {
            print(String.valueOf(e.getMessage()));
        }
    }

    /** Does something with the vCPU of that number, or with the one that is looked at. */
    private void onVcpu(String number, Runnable work) {
        int selected = view.selected();
        if (!number.isEmpty()) {
            int last = view.vcpus().size() - 1;
            boolean known = number.matches("[0-9]{1,9}") && Integer.parseInt(number) <= last;
            if (!known) {
                throw RequestException.invalid("the vCPU '" + cut(number) + "'; the last is " + last);
            }
            view.select(Integer.parseInt(number));
        }
        try {
            work.run();
        } finally {
            view.select(selected);
        }
    }

    private static String cut(String text) {
        return text.length() > 40 ? text.substring(0, 40) + "..." : text;
    }

    /** Sends a line; what a source may have put into a name to command the terminal does not reach it. */
    private void print(String text) {
        try {
            stream.send("O" + Hex.ofText(clean(text) + "\n"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A text without what commands a terminal. */
    static String clean(String text) {
        StringBuilder clean = new StringBuilder(Math.min(text.length(), LINE_LIMIT));
        text.codePoints()
                .limit(LINE_LIMIT)
                .map(symbol -> isHarmful(symbol) ? '?' : symbol)
                .forEach(clean::appendCodePoint);
        return clean.toString();
    }

    private static boolean isHarmful(int symbol) {
        return switch (Character.getType(symbol)) {
            case Character.CONTROL, Character.FORMAT, Character.SURROGATE, Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR -> true;
            default -> false;
        };
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }

    private void info() {
        Guest guest = view.guest();
        Provenance provenance = guest.provenance();
        String format = (provenance.format() + " " + provenance.layout()).strip();
        print("source      " + provenance.source() + " (" + format + ")");
        provenance.hypervisor()
                .ifPresent(name -> print("hypervisor  " + name + " " + provenance.hypervisorVersion().orElse("")));
        provenance.takenAt().ifPresent(time -> print("taken at    " + time));
        MemorySummary summary = MemorySummary.of(guest.memory(), MOST_RUNS);
        summary.kinds().forEach((kind, total) -> {
            if (total.regionCount() > 0) {
                print(String.format(
                        Locale.ROOT,
                        "%-11s %,d bytes in %,d regions",
                        kind.name().toLowerCase(Locale.ROOT),
                        total.bytes(),
                        total.regionCount()));
            }
        });
        kernel();
        print("reading     memory by " + (view.isPhysical() ? "guest-physical" : "virtual") + " address");
        view.basis().ifPresent(basis -> print("            relying on " + basis));
        int selected = view.selected();
        int shown = Math.min(view.vcpus().size(), MOST_VCPUS);
        for (int i = 0; i < shown; i++) {
            view.select(i);
            Vcpu vcpu = view.vcpu();
            String mode = view.architecture().describe(vcpu.registers());
            print((i == selected ? "* " : "  ") + "vCPU " + vcpu.index() + ": " + mode + "; " + paging());
        }
        view.select(selected);
        if (shown < view.vcpus().size()) {
            print("  and " + (view.vcpus().size() - shown) + " more");
        }
        for (Finding finding : guest.findings()) {
            print(finding.severity().name().toLowerCase(Locale.ROOT) + ": " + finding.message());
        }
    }

    private void kernel() {
        KernelFacts facts = KernelFacts.glance(view.guest());
        facts.system().ifPresent(system -> print("kernel      " + system.value()));
        if (facts.release().isPresent()) {
            print("            without a vmlinux of it: guestcore symbols SOURCE --to vmlinux -o vmlinux makes one");
        }
        facts.kaslrOffset()
                .filter(offset -> offset.value() != 0)
                .ifPresent(offset -> print("            moved when it started; for symbols: add-symbol-file vmlinux -o "
                        + hex(offset.value()) + " -s .data..percpu 0"));
    }

    private String paging() {
        try {
            Paging paging = view.space().paging();
            return "paging " + paging.mode().title() + " (" + paging.how() + "), root " + view.space().root();
        } catch (GuestcoreException e) {
            return String.valueOf(e.getMessage());
        }
    }

    private void registers() {
        RegisterState state = view.vcpu().registers();
        if (state.known().isEmpty()) {
            print("the source knows no registers");
            return;
        }
        print("vCPU " + view.vcpu().index() + ": " + view.architecture().describe(state));
        List<String> line = new ArrayList<>();
        Register.Group group = null;
        for (Register register : state.known()) {
            boolean wide = register.bits() > Long.SIZE;
            if (!line.isEmpty() && (wide || register.group() != group || line.size() == REGISTERS_A_LINE)) {
                print(String.join("  ", line));
                line.clear();
            }
            group = register.group();
            line.add(String.format(Locale.ROOT, "%-14s %-18s", register.label(), state.hex(register)));
        }
        print(String.join("  ", line));
    }

    private void translate(String argument) {
        if (argument.isEmpty()) {
            print("usage: monitor translate ADDRESS");
            return;
        }
        long address = address(argument);
        Paging paging = view.space().paging();
        print("vCPU " + view.vcpu().index() + ", " + paging.mode().title() + " (" + paging.how() + "), root "
                + view.space().root());
        Translation translation = view.space().translate(address);
        for (WalkStep step : translation.steps()) {
            print("  " + step);
        }
        if (translation.physical().isEmpty()) {
            print("virtual " + hex(address) + ": " + translation.outcome().title());
            return;
        }
        print("virtual " + hex(address) + " = " + translation.physical().get()
                + translation.guestPhysical()
                        .filter(guest -> !guest.equals(translation.physical().get()))
                        .map(guest -> " = " + guest)
                        .orElse("")
                + ", " + translation.rights().map(Object::toString).orElse(""));
        PageRun run = view.space().physicalMemory().runAt(translation.physical().get().value());
        if (!run.state().isReadable()) {
            print("that memory is " + run.state() + " in the source");
        }
    }

    private long address(String text) {
        String plain = text.startsWith("$") ? text.substring(1) : text;
        Optional<Register> register =
                view.architecture().register(plain.toLowerCase(Locale.ROOT)).filter(known -> known.bits() <= Long.SIZE);
        if (register.isPresent()) {
            return view.vcpu().registers().get(register.get());
        }
        try {
            return plain.startsWith("0x") || plain.startsWith("0X")
                    ? Hex.number(plain.substring(2))
                    : Long.parseUnsignedLong(plain);
        } catch (NumberFormatException e) {
            throw RequestException.invalid("the address '" + cut(text) + "'; write 0x before hexadecimal digits");
        }
    }

    private void search(String text) throws IOException {
        if (text.isEmpty()) {
            print("usage: monitor search TEXT");
            return;
        }
        SearchPattern pattern =
                SearchPattern.text(text, List.of(StandardCharsets.UTF_8, StandardCharsets.UTF_16LE));
        MemorySearch search = MemorySearch.of(pattern).limit(MOST_HITS).context(16);
        SearchSummary summary = Queries.run(view, search, this::printHit, new Queries.KeepAlive(stream));
        String end = summary.hits() == MOST_HITS && summary.stoppedAt().isPresent()
                ? "stopped after " + MOST_HITS + " hits"
                : summary.hits() + (summary.hits() == 1 ? " hit" : " hits");
        print(end + ", " + (view.isPhysical() ? "guest-physical" : "virtual") + " addresses");
    }

    private void printHit(SearchHit hit) {
        StringBuilder text = new StringBuilder();
        for (byte symbol : hit.context()) {
            text.append(symbol >= 0x20 && symbol < 0x7f ? (char) symbol : '.');
        }
        print(String.format(Locale.ROOT, "%-18s %s  |%s|", hex(hit.address()), place(hit), text));
    }

    private static String place(SearchHit hit) {
        return hit.physical().map(place -> place + " " + hit.region()).orElse(hit.region());
    }

    private void physical(String argument) {
        switch (argument) {
            case "on", "1" -> view.setPhysical(true);
            case "off", "0" -> view.setPhysical(false);
            case "" -> {
                // only tells
            }
            default -> {
                print("usage: monitor phys [on|off]");
                return;
            }
        }
        print("memory is read by " + (view.isPhysical() ? "guest-physical" : "virtual") + " address");
    }
}

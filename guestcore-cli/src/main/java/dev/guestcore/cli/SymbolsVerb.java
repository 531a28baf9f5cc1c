package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.TypeConversionException;

/** {@code guestcore symbols}. */
@Command(
        name = "symbols",
        description = {
            "Show the symbols of a Linux guest's kernel and modules, from memory alone.",
            "",
            "Without a name or an address, shows all. In a name, * stands for any characters and ? for one. A line is "
                    + "as in /proc/kallsyms: address, type as nm shows it, name, module; of an address the distance from "
                    + "the symbol is shown. Exit code 1 if one of them is not found.",
            "",
            "--to writes them as a file for other programs. system-map: as a System.map, at the addresses that the "
                    + "kernel was linked for, without modules. vmlinux: the kernel with symbols, types and unwinding rules, for "
                    + "crash, gdb and drgn, in place of the debug package. isf: a symbol table for Volatility 3, "
                    + "compressed if the file's name ends in .xz. vmcoreinfo: the kernel's note for dump analysers, made "
                    + "from memory if it is not there."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore symbols hang.core schedule 0xffffffff81a2b3c4",
            "  guestcore symbols hang.core 'tcp_*' --type tT",
            "  guestcore symbols hang.core --to system-map -o System.map",
            "  guestcore symbols hang.core --to vmlinux -o vmlinux",
            "  guestcore symbols hang.core --to isf -o symbols/linux/hang.json.xz"
        })
final class SymbolsVerb extends Verb {

    /** As the kernel prints an address. */
    private static final Pattern BARE_ADDRESS = Pattern.compile("[0-9a-f]{16}");

    private static final Pattern ADDRESS = Pattern.compile("[0-9].*");

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Parameters(
            index = "1..*",
            arity = "0..*",
            paramLabel = "<name|address>",
            description = "What to look up: names, patterns, virtual addresses (0x hexadecimal, or 16 digits as the "
                    + "kernel prints them).")
    List<String> wanted = new ArrayList<>();

    @Option(
            names = "--module",
            paramLabel = "<name>",
            description = "Show symbols of this module only; 'kernel' is the kernel itself.")
    @Nullable
    String module;

    @Option(names = "--type", paramLabel = "<letters>", description = "Show symbols of these types only, as in 'tT'.")
    @Nullable
    String types;

    @Option(
            names = "--to",
            paramLabel = "<format>",
            completionCandidates = SymbolFormats.class,
            description = "Write a file for other programs: ${COMPLETION-CANDIDATES}.")
    @Nullable
    String to;

    @Option(
            names = "--runtime",
            description = "With --to: write addresses as they are in this guest, moved by KASLR.")
    boolean runtime;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "<file>",
            description = "With --to: the file to write; '-', the default, is standard output.")
    @Nullable
    String output;

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    @Mixin
    CacheOption cache = new CacheOption();

    SymbolsVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        if (to == null) {
            if (runtime || force || output != null) {
                throw usage("--runtime, -o and --force need --to");
            }
            List<Query> queries = wanted.stream().map(this::query).toList();
            return streaming(
                    () -> onLinux(linux -> json ? printJson(linux, queries) : print(linux.symbols(), queries)));
        }
        if (json || !wanted.isEmpty() || module != null || types != null) {
            throw usage("--to writes all symbols; leave out --json, --module, --type and what to look up");
        }
        SymbolFormats.Format format = SymbolFormats.find(this, to);
        boolean stream = output == null || output.equals(FileNames.STANDARD_OUTPUT);
        if (force && stream) {
            throw usage("--force needs -o with a file");
        }
        SymbolFormats.Request request = new SymbolFormats.Request(
                runtime, force, text -> afterwards("guestcore: " + Printable.of(text)));
        String name = output;
        return stream || name == null
                ? streaming(() -> onLinux(linux -> format.toStandardOutput(console(), linux, request)))
                : unwinding(() -> onLinux(linux -> format.toFile(name, linux, request)));
    }

    /** Does something with the kernel's symbols, and gives the exit code. */
    @FunctionalInterface
    private interface Use {

        int of(Linux linux);
    }

    private int onLinux(Use use) {
        try (FreezeOption.Look look = freeze.look(this);
                Guest guest = look.open(source, FreezeOption.Need.MUCH, progress.mode)) {
            Linux linux;
            try (ShownProgress shown = progress(progress.mode)) {
                linux = Linux.of(guest, shown, cache.of(source));
            }
            int code = use.of(linux);
            if (code != ExitCode.DONE || concernsModules()) {
                int problems = problems(linux.symbolProblems());
                // A kernel may have no types, and then nobody can read the symbols of its modules: that is no damage.
                code = code == ExitCode.DONE && linux.types().isPresent() ? problems : code;
            }
            int damage = Math.max(problems(linux.problems()), report(guest.findings()));
            return damage != ExitCode.DONE ? damage : code;
        }
    }

    /** Whether symbols of modules that cannot be read may be missing from what is shown. */
    private boolean concernsModules() {
        return to == null
                && (wanted.isEmpty()
                        || module != null
                        || wanted.stream().map(this::query).anyMatch(query -> query.pattern.isPresent()));
    }

    /** What the user asks for: an address, a name, or a pattern for names. */
    private record Query(String text, Optional<Long> address, Optional<Pattern> pattern) {}

    private Query query(String text) {
        if (text.indexOf('*') >= 0 || text.indexOf('?') >= 0) {
            String expression = Stream.of(text.split("(?=[*?])|(?<=[*?])"))
                    .map(part -> switch (part) {
                        case "*" -> ".*";
                        case "?" -> ".";
                        default -> Pattern.quote(part);
                    })
                    .reduce("", String::concat);
            return new Query(text, Optional.empty(), Optional.of(Pattern.compile(expression, Pattern.DOTALL)));
        }
        if (BARE_ADDRESS.matcher(text).matches()) {
            return new Query(text, Optional.of(Long.parseUnsignedLong(text, 16)), Optional.empty());
        }
        if (ADDRESS.matcher(text).matches()) {
            try {
                return new Query(text, Optional.of(new Quantity.Address().convert(text)), Optional.empty());
            } catch (TypeConversionException e) {
                throw usage(String.valueOf(e.getMessage()));
            }
        }
        return new Query(text, Optional.empty(), Optional.empty());
    }

    private boolean isShown(Symbol symbol) {
        String owner = symbol.module().orElse("kernel");
        return (module == null || owner.equals(module)) && (types == null || types.indexOf(symbol.type()) >= 0);
    }

    private Stream<SymbolOffset> answers(KernelSymbols symbols, Query query) {
        Stream<SymbolOffset> found;
        if (query.address.isPresent()) {
            found = symbols.at(query.address.get()).stream();
        } else if (query.pattern.isPresent()) {
            found = symbols.stream()
                    .filter(symbol -> query.pattern.get().matcher(symbol.name()).matches())
                    .map(symbol -> new SymbolOffset(symbol, 0));
        } else {
            found = symbols.findAll(query.text).stream().map(symbol -> new SymbolOffset(symbol, 0));
        }
        return found.filter(answer -> isShown(answer.symbol()));
    }

    private int print(KernelSymbols symbols, List<Query> queries) {
        if (queries.isEmpty()) {
            long[] shown = {0};
            symbols.stream().filter(this::isShown).forEach(symbol -> {
                shown[0]++;
                print(new SymbolOffset(symbol, 0));
            });
            return shown[0] > 0 ? ExitCode.DONE : nothingShown();
        }
        List<String> missing = new ArrayList<>();
        for (Query query : queries) {
            Iterator<SymbolOffset> answers = answers(symbols, query).iterator();
            if (!answers.hasNext()) {
                missing.add(query.text);
            }
            answers.forEachRemaining(this::print);
        }
        missing.forEach(text -> remark("guestcore: no symbol " + Printable.of(text)));
        return missing.isEmpty() ? ExitCode.DONE : ExitCode.FAILED;
    }

    private int nothingShown() {
        remark("guestcore: no symbols of " + (module == null ? "these types" : "module '" + Printable.of(module) + "'"
                + (types == null ? "" : " and these types")) + "; " + Text.program() + " lsmod " + Text.quoted(source)
                + " shows the modules that there are");
        return ExitCode.FAILED;
    }

    private void print(SymbolOffset found) {
        console().cancellation().check();
        Symbol symbol = found.symbol();
        String distance = found.offset() == 0 ? "" : "+0x" + Long.toHexString(found.offset());
        String owner = symbol.module().map(name -> "\t[" + Printable.of(name) + "]").orElse("");
        print("%016x ".formatted(symbol.address() + found.offset()) + Printable.of(String.valueOf(symbol.type())) + " "
                + Printable.of(symbol.name()) + distance + owner);
    }

    private int printJson(Linux linux, List<Query> queries) {
        KernelSymbols symbols = linux.symbols();
        List<String> missing = new ArrayList<>();
        long[] shown = {0};
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("kernel", KernelImageJson.of(linux.image()));
        if (queries.isEmpty()) {
            Stream<Map<String, Object>> all = symbols.stream().filter(this::isShown).map(symbol -> {
                shown[0]++;
                return json(new SymbolOffset(symbol, 0));
            });
            document.put("symbols", (Iterable<Map<String, Object>>) all::iterator);
        } else {
            List<Map<String, Object>> found = new ArrayList<>();
            for (Query query : queries) {
                List<Map<String, Object>> answers = answers(symbols, query).map(SymbolsVerb::json).toList();
                found.addAll(answers);
                if (answers.isEmpty()) {
                    missing.add(query.text);
                }
            }
            document.put("symbols", found);
            document.put("notFound", missing);
        }
        printJson(document);
        if (queries.isEmpty() && shown[0] == 0) {
            return nothingShown();
        }
        return missing.isEmpty() ? ExitCode.DONE : ExitCode.FAILED;
    }

    private static Map<String, Object> json(SymbolOffset found) {
        Symbol symbol = found.symbol();
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("name", symbol.name());
        json.put("type", String.valueOf(symbol.type()));
        json.put("address", Json.address(symbol.address()));
        symbol.module().ifPresent(name -> json.put("module", name));
        if (found.offset() != 0) {
            json.put("offset", found.offset());
        }
        return json;
    }
}

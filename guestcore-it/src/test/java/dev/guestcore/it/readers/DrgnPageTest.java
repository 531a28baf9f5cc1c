package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.it.Tools;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.it.linux.KnownLinux;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.stacks.StackFrame;
import dev.guestcore.linux.stacks.StackTrace;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.DrgnPage;
import dev.guestcore.testing.Snippets;
import dev.guestcore.testing.Snippets.Snippet;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code docs/drgn.md} writes in Java gives what drgn gives, which has the kernel's debug information. */
@Tag("slow")
@Tag("foreign")
class DrgnPageTest {

    private static final Path CHECKOUT = Path.of("..");
    private static final Path PAGE = CHECKOUT.resolve("docs/drgn.md");

    @TempDir
    private Path folder;

    private static String shown(Object value) {
        return switch (value) {
            case KernelObject object -> shown(object);
            case Symbol symbol -> symbol.name() + " 0x" + Long.toHexString(symbol.address());
            case StackTrace trace -> shown(addresses(trace));
            case Iterable<?> list -> StreamSupport.stream(list.spliterator(), false)
                    .map(DrgnPageTest::shown)
                    .collect(Collectors.joining(", ", "[", "]"));
            default -> value.toString();
        };
    }

    private static String shown(KernelObject object) {
        KernelType.Kind kind = object.type().resolved().kind();
        return switch (kind) {
            case INTEGER, ENUM -> Long.toString(object.asLong());
            case POINTER -> "0x" + Long.toHexString(object.asLong());
            default -> "0x" + Long.toHexString(object.address());
        };
    }

    private static List<String> addresses(StackTrace trace) {
        Stream<Long> frames = trace.frames().stream().map(StackFrame::address);
        Stream<Long> user = trace.user().stream().map(registers -> registers.get(X86.RIP));
        return Stream.concat(frames, user).map(address -> "0x" + Long.toHexString(address)).toList();
    }

    private List<String> inJava(List<DrgnPage.Row> rows) throws Exception {
        Snippets compiler = new Snippets(
                List.of("Guest guest", "Linux linux", "KernelObject task"),
                List.of(Guest.class, Linux.class, NullMarked.class),
                Stream.of("guestcore-core", "guestcore-linux")
                        .map(module -> CHECKOUT.resolve(module).resolve("src/main/java/module-info.java"))
                        .toList());
        List<Snippet> snippets =
                rows.stream().map(row -> new Snippet(PAGE, row.line(), "show(" + row.java() + ");")).toList();
        assertEquals(List.of(), compiler.compile(snippets, folder));
        List<String> results = new ArrayList<>();
        try (Guest guest = Guests.open(KnownLinux.STOCK.kdump());
                URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
            Linux linux = Linux.of(guest);
            KernelObject task = linux.tasks().find(1).orElseThrow().object();
            Consumer<Object> shown = value -> results.add(shown(value));
            for (int i = 0; i < rows.size(); i++) {
                Object snippet = loader.loadClass("snippets.Snippet" + i).getConstructor().newInstance();
                snippet.getClass().getField("guest").set(snippet, guest);
                snippet.getClass().getField("linux").set(snippet, linux);
                snippet.getClass().getField("task").set(snippet, task);
                snippet.getClass().getField("shown").set(snippet, shown);
                ((Runnable) snippet).run();
            }
        }
        return results;
    }

    private List<String> inDrgn(List<DrgnPage.Row> rows) throws Exception {
        // drgn reads no flattened kdump.
        Path core = folder.resolve("core");
        CommandLine.run(folder, "convert", KnownLinux.STOCK.kdump().toString(), "--to", "elf", "-o", core.toString())
                .expect(0);
        String questions = rows.stream().map(row -> row.drgn() + "\n").collect(Collectors.joining());
        Path kernel = Tools.requireKernelWithDebugInformation();
        Program drgn = Program.python("drgn_page.py", "drgn", "python3-drgn", questions, core, kernel);
        return drgn.content().output().lines().toList();
    }

    @Test
    void bothSidesGiveTheSame() throws Exception {
        List<DrgnPage.Row> rows = DrgnPage.rows(PAGE);
        assertTrue(rows.size() >= 35, rows::toString);
        assertEquals(named(rows, inDrgn(rows)), named(rows, inJava(rows)));
    }

    private static String named(List<DrgnPage.Row> rows, List<String> results) {
        assertEquals(rows.size(), results.size());
        List<String> lines = new ArrayList<>();
        for (int i = 0; i < rows.size(); i++) {
            lines.add(rows.get(i).java() + " -> " + results.get(i));
        }
        return String.join("\n", lines);
    }
}

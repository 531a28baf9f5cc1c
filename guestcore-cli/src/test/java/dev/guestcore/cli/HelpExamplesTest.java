package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;

/** The examples in the help of all commands are typed, with the names of files that there are. */
@Tag("slow")
class HelpExamplesTest {

    /** What these say depends on names and numbers of the example that no other guest has. */
    private static final Set<String> OF_THAT_GUEST = Set.of("read", "translate", "search");

    /** What stands in the guest is not a whole Linux: these end by saying so. */
    private static final Set<String> OF_LINUX = Set.of(
            "ps", "log", "bt", "lsof", "files", "maps", "env", "mount", "ss", "ip", "irqs", "lsmod", "check", "symbols",
            "memory", "dump");

    private static final Pattern EXAMPLE = Pattern.compile("^  (?:.*\\(|.*\\| )?guestcore (\\S[^|>)]*)");

    @TempDir
    private static Path folder;

    @BeforeAll
    static void write() throws IOException {
        String core = folder.resolve("vm.core").toString();
        Run.of("convert", PagedGuest.withLinux(folder), "-o", core, "--to", "elf", "--manifest").expect(0);
        Run.of("convert", core, "-o", folder.resolve("vm.xen").toString(), "--to", "xen").expect(0);
        for (String name : List.of("hang.core", "before.core", "after.core")) {
            Files.copy(Path.of(core), folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        }
    }

    /**
     * All but those of {@code demo}, which takes its time, {@code gdb}, which waits for a debugger, and of a split dump: see
     * the tests of those.
     */
    static Stream<String> examples() {
        List<String> examples = new ArrayList<>();
        Console console = new Console(System.out, System.err, Console.Terminal.none());
        for (CommandLine verb : Verbs.complete(console).getSubcommands().values()) {
            for (String line : verb.getCommandSpec().usageMessage().footer()) {
                Matcher example = EXAMPLE.matcher(line);
                if (example.find()) {
                    examples.add(example.group(1).strip());
                }
            }
        }
        return examples.stream().distinct().filter(line -> !line.matches("gdb .*|demo|.* split:.*"));
    }

    private static String there(String word) {
        String name = word.replace("'", "").replace("\"", "");
        if (name.startsWith("qemu:")) {
            return "demo:ram=4M";
        }
        return name.matches("[\\w.]+\\.(core|xen|manifest\\.json)") ? folder.resolve(name).toString() : name;
    }

    @ParameterizedTest
    @MethodSource("examples")
    void anExampleCanBeTyped(String line) {
        List<String> words = new ArrayList<>();
        for (String word : line.split(" +(?=(?:[^']*'[^']*')*[^']*$)")) {
            boolean output = !words.isEmpty() && List.of("-o", "--svg").contains(words.getLast()) && !word.equals("-");
            words.add(output ? folder.resolve("out" + System.nanoTime()).toString() : there(word));
        }
        Run run = Run.of(words.toArray(String[]::new));
        // A demo guest stands for QEMU's, which can do more.
        boolean depends = OF_THAT_GUEST.contains(words.getFirst()) || OF_LINUX.contains(words.getFirst());
        if (depends || line.contains("qemu:")) {
            assertTrue(run.code() == ExitCode.DONE || run.code() == ExitCode.FAILED, () -> words + ": " + run.err());
        } else {
            assertEquals(ExitCode.DONE, run.code(), () -> words + ": " + run.err());
        }
    }
}

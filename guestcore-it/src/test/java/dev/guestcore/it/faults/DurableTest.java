package dev.guestcore.it.faults;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.it.Tools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a power failure would leave, told by the order of system calls: a file is on the disk before it gets its name, a
 * manifest's name comes after its core's, and the folder is flushed last.
 */
@Tag("slow")
@Tag("foreign")
@Timeout(value = 2, unit = TimeUnit.MINUTES)
class DurableTest {

    private static final String CALLS = "trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat";
    private static final Pattern FLUSH = Pattern.compile("f(?:data)?sync\\(\\d+<([^>]*)>\\) += 0");
    private static final Pattern NAME =
            Pattern.compile("(?:rename|link)[a-z0-9]*\\(.*\"([^\"]*)\"[^\"]*\"([^\"]*)\".*\\) += 0");

    @TempDir
    private Path folder;

    /** Flushes and names of our files, in order. */
    private List<String> calls(String... arguments) throws IOException, InterruptedException {
        Path log = folder.resolve("strace.log");
        List<String> prefix =
                List.of(Tools.require("strace").toString(), "-f", "-y", "-s", "4096", "-e", CALLS, "-o",
                        log.toString());
        try (CommandLine command =
                CommandLine.start(folder, Map.of(), CommandLine.words(prefix, List.of(), arguments))) {
            command.end().expect(0);
        }
        List<String> calls = new ArrayList<>();
        for (String line : Files.readAllLines(log)) {
            Matcher flush = FLUSH.matcher(line);
            Matcher name = NAME.matcher(line);
            if (flush.find()) {
                calls.add("flush " + label(flush.group(1)));
            } else if (name.find()) {
                calls.add("name " + label(name.group(2)));
            }
        }
        // The folder is flushed for each of its files.
        return calls.stream().distinct().toList();
    }

    private String label(String path) throws IOException {
        Path file = Path.of(path);
        if (file.toAbsolutePath().equals(folder.toRealPath())) {
            return "folder";
        }
        String name = file.getFileName().toString();
        // Hidden until it has its name; what stands behind that is chance.
        if (name.contains(".sha256")) {
            return "digest";
        }
        return name.contains(".manifest") ? "manifest" : name.contains("out.core") ? "core" : name;
    }

    @Test
    void coreThenManifestThenFolder() throws IOException, InterruptedException {
        assertEquals(
                List.of("flush core", "flush manifest", "flush digest", "name core", "name manifest", "name digest",
                        "flush folder"),
                calls("capture", "demo:", "-o", "out.core", "--to", "elf", "--manifest"));
    }

    @Test
    void aReplacedCoreToo() throws IOException, InterruptedException {
        Files.writeString(folder.resolve("out.core"), "old");
        assertEquals(
                List.of("flush core", "name core", "flush folder"),
                calls("capture", "demo:", "-o", "out.core", "--to", "vbox", "--force"));
    }
}

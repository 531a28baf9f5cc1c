package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.internal.text.Names;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.JsonSchema;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What each command prints with {@code --json} is what its published schema says. */
class JsonSchemaTest {

    private static final Pattern SEVERITIES = Pattern.compile("\"severity\": *\\{\\s*\"enum\": *\\[([^]]*)]");

    @TempDir
    Path folder;

    private String guest = "";

    @BeforeEach
    void describeGuest() throws IOException {
        guest = PagedGuest.in(folder);
    }

    private static Map<?, ?> document(String schema, int code, String... arguments) {
        Run run = Run.of(arguments).expect(code);
        Map<?, ?> document = JsonSchema.check(run.bytes());
        assertEquals(schema, document.get("schema"));
        remarks(run);
        return document;
    }

    private static List<Map<?, ?>> lines(String schema, String... arguments) {
        Run run = Run.of(arguments).expect(0);
        List<Map<?, ?>> lines = run.out().lines()
                .<Map<?, ?>>map(line -> JsonSchema.check(line.getBytes(StandardCharsets.UTF_8)))
                .toList();
        assertTrue(lines.stream().allMatch(line -> line.get("schema").equals(schema)));
        return lines;
    }

    /** Everything on standard error is JSON too, line by line. */
    private static List<Map<?, ?>> remarks(Run run) {
        return run.err().lines()
                .<Map<?, ?>>map(line -> JsonSchema.check(line.getBytes(StandardCharsets.UTF_8)))
                .toList();
    }

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    private String cut() throws IOException {
        byte[] whole = Files.readAllBytes(Samples.core("vbox/7.0.10-A"));
        Files.write(folder.resolve("cut.core"), Arrays.copyOf(whole, whole.length * 3 / 4));
        return file("cut.core");
    }

    @Test
    void everyVerbAnswersAsItsSchemaSays() throws IOException {
        document("info", 0, "info", "--json", "--scan", guest);
        document("info", 0, "info", "--json", "--scan", PagedGuest.withLinux(folder));
        document("info", ExitCode.DAMAGED, "info", "--json", cut());
        document("regs", 0, "regs", "--json", "demo:");
        document("formats", 0, "formats", "--json");
        document("formats", 1, "formats", "--json", guest.substring("file:".length()));
        document("translate", 0, "translate", "--json", guest, "0xffffffff81000123");
        document("translate", 1, "translate", "--json", guest, "0xffffffff81600000");
        String linux = LinuxGuest.in(folder);
        document("symbols", 0, "symbols", "--json", linux);
        document("symbols", 1, "symbols", "--json", linux, "function_7", "0xffffffff82c03100", "nothing");
        document("map", 0, "map", "--json", guest);
        document("map", 0, "map", "--json", "--scan", "demo:ram=4M");
        document("man", 0, "man", "--json");
        for (String shell : List.of("bash", "zsh", "fish")) {
            document("completion", 0, "completion", "--json", "--shell", shell);
        }
        assertTrue(lines("map-virtual", "map", "--virtual", "--json", guest).size() > 1);
    }

    @Test
    void everyWayOfWritingAndComparingToo() throws IOException {
        String core = file("a.core");
        document("capture", 0, "capture", "--json", "demo:ram=4M", "-o", core, "--to", "vbox", "--manifest");
        document("convert", 0, "convert", "--json", core, "-o", file("a.xen"), "--to", "xen");
        document("verify", 0, "verify", "--json", "--manifest", core);
        document("verify", 0, "verify", "--json", "--deep", "--against", core, file("a.xen"));
        document("verify", ExitCode.DAMAGED, "verify", "--json", cut());
        document("diff", 0, "diff", "--json", core, file("a.xen"));
        document("diff", 1, "diff", "--json", core, guest);
        Map<?, ?> demo = document("demo", 0, "demo", "--json", "-o", file("demo"));
        assertEquals(true, demo.get("good"));
    }

    @Test
    void whatACaptureWouldDoIsJsonToo() {
        String core = file("a.core");
        Map<?, ?> live = document("capture-dry-run", 0, "capture", "--json", "demo:ram=4M", "-o", core, "--to", "elf",
                "--dry-run");
        assertEquals(List.of(true, true, false), List.of(live.get("live"), live.get("fits"), live.get("refused")));
        assertEquals("buffer", live.get("freeze"));
        assertTrue((Long) live.get("mostBytes") >= 4 << 20, live.toString());
        assertTrue((Long) live.get("freeBytes") > 0, live.toString());
        assertFalse(Files.exists(Path.of(core)));
        Map<?, ?> file =
                document("capture-dry-run", 0, "capture", "--json", guest, "-o", "-", "--to", "elf", "--dry-run");
        assertEquals(false, file.get("live"));
        assertFalse(file.containsKey("freeBytes") || file.containsKey("freeze"), file.toString());
        Run nowhere = Run.of("capture", "--json", guest, "-o", file("no/such"), "--to", "elf", "--dry-run")
                .expect(ExitCode.FAILED);
        assertTrue(remarks(nowhere).getFirst().get("message").toString().contains("does not exist"), nowhere.err());
    }

    /** Every severity that a finding may have, wherever findings are printed. */
    @Test
    void schemasListAllSeverities() throws IOException {
        List<String> severities = Stream.of(Severity.values())
                .filter(severity -> severity != Severity.FAILED)
                .map(Names::of)
                .toList();
        List<Path> schemas;
        try (Stream<Path> files = Files.list(JsonSchema.FOLDER)) {
            schemas = files.filter(file -> file.getFileName().toString().endsWith(".schema.json")).toList();
        }
        int lists = 0;
        for (Path schema : schemas) {
            Matcher listed = SEVERITIES.matcher(Files.readString(schema));
            while (listed.find()) {
                List<String> values =
                        Stream.of(listed.group(1).split(",")).map(value -> value.replaceAll("[\\s\"]", "")).toList();
                assertEquals(Set.copyOf(severities), Set.copyOf(values), schema.toString());
                lists++;
            }
        }
        assertTrue(lists >= 3, "lists " + lists);
    }

    @Test
    void whatAFileHoldsAndNobodyReadsIsAFindingToo() throws IOException {
        String image = file("a.img");
        Run.of("capture", "demo:ram=4M", "-o", image, "--to", "raw").expect(0);
        Files.write(Path.of(image), new byte[4096], StandardOpenOption.APPEND);
        for (List<String> command : List.of(
                List.of("info", "--json", image),
                List.of("convert", "--json", image, "-o", file("b"), "--to", "elf"),
                List.of("capture", "--json", image, "-o", file("c"), "--to", "elf"))) {
            Map<?, ?> document = document(command.getFirst(), 0, command.toArray(String[]::new));
            List<?> findings = (List<?>) document.get("findings");
            assertTrue(findings.stream().anyMatch(one -> ((Map<?, ?>) one).get("severity").equals("omitted")),
                    command.toString());
        }
    }

    @Test
    void readGivesPiecesWithTheirState() {
        Map<?, ?> read = document("read", 0, "read", "--json", guest, "0x5000", "8192");
        List<?> pieces = (List<?>) read.get("pieces");
        long length = 0;
        for (Object piece : pieces) {
            length += (Long) ((Map<?, ?>) piece).get("length");
        }
        assertEquals(8192, length);
        String hex = (String) ((Map<?, ?>) pieces.getFirst()).get("hex");
        assertTrue(hex.startsWith("6e6565646c65"), hex);
        Map<?, ?> hole = document("read", 0, "read", "--json", "demo:", "0x10000000000", "4T");
        assertEquals("absent", ((Map<?, ?>) ((List<?>) hole.get("pieces")).getFirst()).get("state"));
        Run.of("read", guest, "0", "--json", "--raw").expect(ExitCode.USAGE);
    }

    @Test
    void aFindCarriesTheTextThatMatched() {
        Map<?, ?> regex = find("--context", "0", "--regex", guest, "needle [a-z]+");
        assertEquals("needle in", regex.get("text"));
        assertEquals("6e6565646c6520696e", regex.get("match"));
        Map<?, ?> wide = lines("search", "search", "--json", "--utf16", guest, "needle").get(2);
        assertEquals("needle", wide.get("text"));
        assertEquals("6e006500650064006c006500", wide.get("match"));
        assertEquals("needle", find("--virtual", guest, "needle").get("text"));
    }

    private static Map<?, ?> find(String... arguments) {
        String[] command = Stream.concat(Stream.of("search", "--json"), Stream.of(arguments)).toArray(String[]::new);
        return lines("search", command).getFirst();
    }

    @Test
    void errorsAreJsonOnStandardError() throws IOException {
        Run missing = Run.of("info", "--json", file("missing")).expect(ExitCode.FAILED);
        assertEquals("", missing.out());
        Map<?, ?> error = remarks(missing).getFirst();
        assertEquals("error", error.get("schema"));
        assertEquals(1L, error.get("exitCode"));
        assertTrue(error.get("message").toString().contains("missing"), error.toString());
        Files.write(folder.resolve("head.core"), Arrays.copyOf("KDUMP   ".getBytes(StandardCharsets.US_ASCII), 5000));
        Map<?, ?> malformed = remarks(Run.of("info", "--json", file("head.core")).expect(ExitCode.DAMAGED)).getFirst();
        assertEquals("malformed-dump", malformed.get("id"));
        assertEquals(file("head.core"), malformed.get("file"));
        assertTrue(malformed.containsKey("offset") && malformed.containsKey("expected"), malformed.toString());
        Run usage = Run.of("search", "--json", guest).expect(ExitCode.USAGE);
        assertEquals(2L, remarks(usage).getFirst().get("exitCode"));
        Run damaged = Run.of("regs", "--json", cut()).expect(ExitCode.DAMAGED);
        assertFalse(remarks(damaged).isEmpty());
        assertEquals("remark", remarks(damaged).getFirst().get("schema"));
    }

    @Test
    void progressIsAsItsSchemaSays() {
        Run run = Run.of("info", "--scan", "--progress", "json", "demo:ram=4M").expect(0);
        List<Map<?, ?>> lines = remarks(run);
        assertFalse(lines.isEmpty());
        assertTrue(lines.stream().allMatch(line -> line.get("schema").equals("progress")));
    }

    @Test
    void everyVerbHasASchemaAndEverySchemaIsUsed() throws IOException {
        Set<String> published;
        try (Stream<Path> files = Files.list(JsonSchema.FOLDER)) {
            published = files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".schema.json"))
                    .map(name -> name.substring(0, name.length() - ".schema.json".length()))
                    .collect(Collectors.toSet());
        }
        Set<String> expected = new TreeSet<>(Verbs.names());
        expected.addAll(List.of("error", "remark", "log-line", "progress", "map-virtual", "capture-dry-run"));
        assertEquals(
                expected,
                new TreeSet<>(published),
                "each command has a docs/json/COMMAND.schema.json, and each schema a command");
        String guide = Files.readString(JsonSchema.FOLDER.resolve("README.md"));
        published.forEach(name -> assertTrue(
                guide.contains(name + ".schema.json"), () -> name + " has no row in docs/json/README.md"));
        for (String verb : Verbs.names()) {
            assertTrue(Run.of(verb, "--help").expect(0).out().contains("--json"), verb);
        }
    }

    /** The checker must be able to fail, or the tests above say nothing. */
    @Test
    void theCheckerFindsWhatIsWrong() {
        JsonSchema schema = JsonSchema.of("""
                {"type": "object", "required": ["a"], "additionalProperties": false, "properties": {
                  "a": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 3}},
                  "b": {"oneOf": [{"const": 1}, {"enum": ["x", 1]}]},
                  "c": {"type": "string", "pattern": "^0x[0-9]+$"}}}
                """.getBytes(StandardCharsets.UTF_8));
        assertEquals(List.of(), schema.problems(Map.of("a", List.of(1L, 3L), "b", "x", "c", "0x1")));
        for (Map<?, ?> wrong : List.of(
                Map.of(), Map.of("a", 1L), Map.of("a", List.of(0L)), Map.of("a", List.of(4L)),
                Map.of("a", List.of("1")), Map.of("a", List.of(), "b", 1L), Map.of("a", List.of(), "b", "y"),
                Map.of("a", List.of(), "c", "1"), Map.of("a", List.of(), "d", 1L))) {
            assertFalse(schema.problems(wrong).isEmpty(), wrong.toString());
        }
        JsonSchema unknown = JsonSchema.of("{\"minItems\": 1}".getBytes(StandardCharsets.UTF_8));
        assertFalse(unknown.problems(List.of()).isEmpty(), "a keyword that nobody checks");
    }
}

package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Register;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import dev.guestcore.source.SourceProvider;
import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the commands do when all is well. */
class CommandsTest {

    private static final List<String> VERBS = List.copyOf(Verbs.names());
    private static final String VBOX = "vbox/7.0.10-A";

    @TempDir
    Path folder;

    private static String sample() {
        return Samples.core(VBOX).toString();
    }

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    @Test
    void helpNamesAllCommands() {
        String help = Run.of("--help").expect(0).out();
        VERBS.forEach(verb -> assertTrue(help.contains("  " + verb + " ") || help.contains("  " + verb + ", "), verb));
    }

    @ParameterizedTest
    @FieldSource("VERBS")
    void everyCommandHelpsWithAnExample(String verb) {
        String help = Run.of(verb, "--help").expect(0).out();
        assertTrue(help.startsWith("Usage: guestcore " + verb), help);
        assertTrue(
                help.contains("Example")
                        && help.lines().anyMatch(line -> line.startsWith("  ") && line.contains("guestcore " + verb)),
                () -> verb + ": has no example in the footer of its @Command\n" + help);
        assertEquals(help, Run.of("help", verb).expect(0).out());
    }

    @Test
    void helpOfWritersHasTheOptionsOfTheFormats() {
        String help = Run.of("capture", "--help").expect(0).out();
        for (CoreFormat format : WriteOptions.writableFormats()) {
            format.writeOptions().forEach(option -> assertTrue(help.contains("--" + option.name()), option.name()));
        }
        String words = help.replaceAll("\\s+", " ");
        assertTrue(words.contains("The format to write: " + String.join(", ", new WriteOptions.FormatNames())), help);
    }

    @Test
    void saysItsVersion() {
        assertTrue(Run.of("--version").expect(0).out().matches("guestcore [0-9]+\\.[0-9]+\\.[0-9]+(-SNAPSHOT)?\\R"));
    }

    @Test
    void formatsAreThoseThatTheLibraryHas() {
        Run run = Run.of("formats").expect(0);
        Map<?, ?> json = Run.of("formats", "--json").expect(0).json();
        List<?> formats = (List<?>) json.get("formats");
        assertEquals(Guests.formats().size(), formats.size());
        for (int i = 0; i < formats.size(); i++) {
            CoreFormat format = Guests.formats().get(i);
            Map<?, ?> entry = (Map<?, ?>) formats.get(i);
            assertEquals(format.name(), entry.get("name"));
            assertEquals(format.canWrite(), entry.get("write"));
            assertTrue(run.out().contains(format.title()), run.out());
        }
        for (SourceProvider provider : Guests.providers()) {
            assertTrue(run.out().contains("  " + provider.scheme() + ":"), run.out());
        }
    }

    @Test
    void showsWhatEachFormatSaysOfAFile() throws IOException {
        Run run = Run.of("formats", sample()).expect(0);
        assertTrue(run.out().lines().anyMatch(line -> line.matches(" +vbox +exact .*")), run.out());
        Path text = Files.writeString(folder.resolve("text"), "no core at all");
        Map<?, ?> json = Run.of("formats", "--json", text.toString()).expect(ExitCode.FAILED).json();
        for (Object probe : (List<?>) json.get("probes")) {
            assertEquals("no", ((Map<?, ?>) probe).get("match"));
            assertNotEquals("", ((Map<?, ?>) probe).get("reason"));
        }
    }

    @Test
    void infoTellsWhatAFileIs() {
        String out = Run.of("info", sample()).expect(0).out();
        assertTrue(out.contains("VirtualBox VMCore"), out);
        assertTrue(out.contains("memory map"), out);
        try (Guest guest = Guests.open(Samples.core(VBOX))) {
            guest.memory().regions()
                    .forEach(region -> assertTrue(out.contains("0x" + Long.toHexString(region.range().first())),
                            region.toString()));
        }
        Map<?, ?> json = Run.of("info", "--json", sample()).expect(0).json();
        assertEquals("vbox", json.get("format"));
        assertEquals(List.of(), json.get("findings"));
    }

    @Test
    void infoScansOnRequest() {
        assertFalse(Run.of("info", "demo:", "--json").expect(0).json().containsKey("scan"));
        Map<?, ?> json = Run.of("info", "demo:ram=4M", "--json", "--scan").expect(0).json();
        Map<?, ?> scan = (Map<?, ?>) json.get("scan");
        Map<?, ?> memory = (Map<?, ?>) json.get("memory");
        assertEquals((Long) memory.get("ramBytes") + (Long) memory.get("romBytes"), (Long) scan.get("pages") * 4096);
        assertTrue(Run.of("info", "demo:ram=4M", "--scan").expect(0).out().contains("duplicate"));
    }

    @Test
    void registersAsJsonAreThoseOfTheLibrary() {
        List<?> shown = (List<?>) Run.of("regs", "--json", sample()).expect(0).json().get("vcpus");
        try (Guest guest = Guests.open(Samples.core(VBOX))) {
            assertEquals(guest.vcpus().size(), shown.size());
            for (Vcpu vcpu : guest.vcpus()) {
                Map<?, ?> entry = (Map<?, ?>) shown.get(vcpu.index());
                assertEquals((long) vcpu.index(), entry.get("index"));
                Map<?, ?> registers = (Map<?, ?>) entry.get("registers");
                assertEquals(
                        vcpu.registers().known().stream().map(Register::label).toList(),
                        List.copyOf(registers.keySet()));
                vcpu.registers().known().forEach(
                        register -> assertEquals(vcpu.registers().hex(register), registers.get(register.label())));
            }
        }
    }

    @Test
    void registersCanBeOfOneVcpu() {
        List<?> one = (List<?>) Run.of("regs", "--json", "--cpu", "1", "demo:").expect(0).json().get("vcpus");
        assertEquals(1, one.size());
        assertEquals(1L, ((Map<?, ?>) one.getFirst()).get("index"));
        String text = Run.of("regs", "--cpu", "1", "demo:").expect(0).out();
        assertTrue(text.contains("vCPU 1") && !text.contains("vCPU 0"), text);
        Run.of("regs", "--cpu", "2", "demo:").failsWith(ExitCode.FAILED, "there is no vCPU 2", "are 2");
    }

    @Test
    void readsBytesAndHex() throws IOException {
        byte[] expected = new byte[5000];
        long address;
        try (Guest guest = Guests.open(Samples.core(VBOX))) {
            address = guest.memory().regions().getFirst().range().first();
            guest.memory().read(address, MemorySegment.ofArray(expected));
        }
        String at = "0x" + Long.toHexString(address);
        assertArrayEquals(expected, Run.of("read", sample(), at, "5000", "--raw").expect(0).bytes());
        Run.of("read", sample(), at, "5000", "--raw", "-o", file("raw")).expect(0);
        assertArrayEquals(expected, Files.readAllBytes(folder.resolve("raw")));
        String hex = Run.of("read", sample(), at, "16").expect(0).out();
        assertTrue(hex.startsWith(String.format("0x%016x  %02x %02x ", address, expected[0], expected[1])), hex);
    }

    @Test
    void aHoleHasNoBytes() {
        Run dump = Run.of("read", "demo:", "0xa0000", "16").expect(ExitCode.FAILED);
        assertTrue(dump.out().contains("?? ??"), dump.out());
        assertTrue(dump.err().contains("nothing backs this address"), dump.err());
        Run.of("read", "demo:", "0xa0000", "16", "--raw").failsWith(ExitCode.FAILED, "0xa0000");
        Run.of("read", "demo:", "0", "--machine").failsWith(ExitCode.FAILED, "Xen PV");
    }

    @Test
    void drawsTheMap() throws IOException {
        assertTrue(Run.of("map", "demo:").expect(0).out().contains("0x000100000000"));
        Run.of("map", "demo:", "--svg", file("map.svg")).expect(0);
        String svg = Files.readString(folder.resolve("map.svg"));
        assertTrue(svg.contains("<svg ") && svg.strip().endsWith("</svg>"), svg);
        String second = Run.of("map", "demo:", "--svg", "-").expect(0).out();
        assertEquals(withoutTime(svg), withoutTime(second), "the same guest, at another instant");
        Run.of("map", "demo:", "--svg", file("map.svg")).failsWith(ExitCode.FAILED, "exists already");
        Run.of("map", "demo:", "--svg", file("map.svg"), "--force").expect(0);
    }

    private static String withoutTime(String svg) {
        return svg.replaceAll("\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d", "");
    }

    static List<String> writable() {
        return new WriteOptions.FormatNames();
    }

    @ParameterizedTest
    @MethodSource("writable")
    @Tag("slow")
    void capturesVerifiesConverts(String format) throws IOException {
        Run capture = Run.of("capture", "demo:ram=4M", "-o", file("a"), "--to", format).expect(0);
        assertTrue(capture.out().contains("the guest was frozen for "), capture.out());
        assertTrue(capture.out().contains("guestcore verify "), capture.out());
        assertEquals("", capture.err(), "no terminal, no progress");
        Run verify = Run.of("verify", "--deep", file("a")).expect(0);
        assertTrue(verify.out().contains(" pass"), verify.out());
        Map<?, ?> checks = Run.of("verify", "--json", file("a")).expect(0).json();
        assertEquals(format, checks.get("format"));
        for (Object check : (List<?>) checks.get("checks")) {
            assertNotEquals("fail", ((Map<?, ?>) check).get("result"), check.toString());
        }
        Run.of("convert", file("a"), "-o", file("b"), "--to", format).expect(0);
        assertEquals(-1, Files.mismatch(folder.resolve("a"), folder.resolve("b")), "the way through is lossless");
        if (format.equals("raw")) {
            // Flat, with memory above 4 GiB: a file has a hole there, the heap of a test has not.
            return;
        }
        Run stream = Run.of("convert", file("a"), "-o", "-", "--to", format).expect(0);
        if (format.equals("kdump")) {
            // A pipe gets the flattened form: other bytes, the same guest.
            Files.write(folder.resolve("b"), stream.bytes());
        } else {
            assertArrayEquals(Files.readAllBytes(folder.resolve("a")), stream.bytes());
        }
        assertTrue(stream.err().contains("done"), stream.err());
        assertFalse(stream.err().contains("guestcore verify -"), stream.err());
        Map<?, ?> same = Run.of("verify", file("a"), "--against", file("b"), "--json").expect(0).json();
        assertEquals(true, ((Map<?, ?>) same.get("against")).get("identical"));
    }

    @Test
    void verifyShowsWhatDiffers() throws IOException {
        Run.of("capture", "demo:ram=4M", "-o", file("a"), "--to", "vbox").expect(0);
        Run.of("capture", "demo:ram=4M,vcpus=3", "-o", file("b"), "--to", "vbox").expect(0);
        Run run = Run.of("verify", file("a"), "--against", file("b")).expect(ExitCode.FAILED);
        assertTrue(run.out().contains("differs") && run.out().contains("2 vCPUs here, 3 there"), run.out());
        Map<?, ?> json =
                Run.of("verify", file("a"), "--against", file("b"), "--json").expect(ExitCode.FAILED).json();
        assertEquals(false, ((Map<?, ?>) json.get("against")).get("sameRegisters"));
    }

    @Test
    void captureReportsAsJson() throws IOException {
        String source = "demo:ram=4M,fail=0x200000";
        Run run = Run.of("capture", source, "-o", file("a"), "--to", "vbox", "--json", "--layout", "4.0")
                .expect(ExitCode.DAMAGED);
        Map<?, ?> json = run.json();
        assertEquals("4.0", json.get("layout"));
        assertEquals(Files.size(folder.resolve("a")), json.get("bytes"));
        assertEquals(4096L, json.get("unreadableBytes"));
        assertEquals(List.of(Map.of("first", "0x200000", "last", "0x200fff")), json.get("unreadable"));
        assertTrue((Double) json.get("frozenSeconds") > 0);
        Run text = Run.of("capture", source, "-o", file("b"), "--to", "vbox").expect(ExitCode.DAMAGED);
        assertTrue(text.out().contains("0x200000-0x200fff"), text.out());
        assertTrue(text.err().contains("4 KiB of memory could not be read"), text.err());
    }

    @Test
    void progressForMachines() {
        Run run = Run.of("capture", "demo:ram=4M", "-o", file("a"), "--to", "vbox", "--progress", "json").expect(0);
        List<String> lines = run.err().lines().toList();
        Map<?, ?> last = (Map<?, ?>) Run.parse(lines.getLast().getBytes(StandardCharsets.UTF_8));
        assertEquals(last.get("total"), last.get("done"));
    }

    /** Reading all memory, then comparing it: known from the first line on, whatever the memory comes from. */
    @Test
    void oneProgressForAllPassesOfVerify() throws IOException {
        Run.of("convert", "demo:ram=4M", "-o", file("a.elf"), "--to", "elf").expect(0);
        Run.of("convert", file("a.elf"), "-o", file("a.kdump"), "--to", "kdump").expect(0);
        Run.of("convert", file("a.elf"), "-o", file("a.img"), "--to", "raw").expect(0);
        for (String source : List.of(
                file("a.elf"),
                file("a.kdump"),
                file("a.img"),
                "split:" + file("a.kdump"),
                "raw:" + file("a.img") + "@0x0")) {
            List<Map<?, ?>> lines = Run.of("verify", "--deep", source, "--against", source, "--progress", "json")
                    .expect(0)
                    .err()
                    .lines()
                    .filter(line -> line.contains("jobTotal"))
                    .<Map<?, ?>>map(line -> (Map<?, ?>) Run.parse(line.getBytes(StandardCharsets.UTF_8)))
                    .toList();
            assertEquals(2, lines.stream().map(line -> line.get("phase")).distinct().count(), source + lines);
            double share = 0;
            for (Map<?, ?> line : lines) {
                double now =
                        ((Number) line.get("jobDone")).doubleValue() / ((Number) line.get("jobTotal")).doubleValue();
                assertTrue(now >= share - 0.01, source + lines);
                share = now;
            }
            assertTrue(share > 0.95, source + lines);
        }
    }

    @Test
    void theDemoEndsWell() throws IOException {
        Run run = Run.of("demo", "-o", file("demo")).expect(0);
        assertFalse(run.out().contains("✗"), run.out());
        assertTrue(run.out().contains("✓ every word of memory agrees with the registers"), run.out());
        for (String format : List.of("vbox", "xen")) {
            Run.of("verify", file("demo/demo." + format)).expect(0);
        }
        Run.of("demo", "-o", file("demo")).failsWith(ExitCode.FAILED, "exists already");
    }

    @Test
    void colourIsForTerminalsOnly() {
        Console.Terminal terminal = new Console.Terminal(true, true, true, 100);
        Console.Terminal colourless = new Console.Terminal(true, true, false, 100);
        assertTrue(Run.of(terminal, "info", "demo:").expect(0).out().contains("\u001b[1m"));
        assertFalse(Run.of(colourless, "info", "demo:").expect(0).out().contains("\u001b"));
        assertFalse(Run.of("info", "demo:").expect(0).out().contains("\u001b"));
    }

    @Test
    void theTerminalIsWhatLauncherAndUserSay() {
        assertTrue(Console.Terminal.ofProcess(Map.of("TERM", "xterm")).colour());
        assertFalse(Console.Terminal.ofProcess(Map.of("TERM", "xterm", "NO_COLOR", "1")).colour());
        assertTrue(Console.Terminal.ofProcess(Map.of("TERM", "xterm", "NO_COLOR", "")).colour());
        assertFalse(Console.Terminal.ofProcess(Map.of("TERM", "dumb")).colour());
    }

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh", "fish"})
    @Tag("foreign")
    void completionIsAScript(String shell) throws IOException, InterruptedException {
        Run run = Run.of("completion", "--shell", shell).expect(0);
        VERBS.forEach(verb -> assertTrue(run.out().contains(verb), verb));
        assertTrue(run.out().contains(shell.equals("fish") ? "-l layout" : "--layout"),
                "options of the formats are completed");
        Path script = Files.write(folder.resolve("completion"), run.bytes());
        ForeignTools.require(shell);
        Process check = new ProcessBuilder(shell, "-n", script.toString()).inheritIO().start();
        assertTrue(check.waitFor(30, TimeUnit.SECONDS));
        assertEquals(0, check.exitValue());
    }

    @Test
    void theManualHasEveryCommandAndOption() {
        String page = Run.of("man").expect(0).out();
        assertTrue(page.startsWith(".TH GUESTCORE 1 "), page.substring(0, 40));
        VERBS.forEach(verb -> assertTrue(page.contains(".SS " + verb + "\n"), verb));
        for (CoreFormat format : WriteOptions.writableFormats()) {
            format.writeOptions().forEach(
                    option -> assertTrue(page.contains("\\-\\-" + option.name().replace("-", "\\-")), option.name()));
        }
        assertFalse(page.contains("${"), "variables are filled in");
        assertTrue(page.contains("\\fBguestcore search\\fR [options] <source> <pattern>\n"), "none has to be given");
        List<String> requests = page.lines()
                .filter(line -> line.startsWith("."))
                .map(line -> line.split(" ")[0])
                .distinct()
                .toList();
        assertTrue(
                Arrays.asList(".TH", ".nh", ".ad", ".SH", ".SS", ".PP", ".TP", ".br", ".RS", ".RE", ".nf", ".fi")
                        .containsAll(requests),
                requests.toString());
    }

    /** A sound file with something that Guestcore does not read is no failure, but a conversion says what it lacks. */
    @Test
    void tellsWhatOfTheSourceIsNotRead() throws Exception {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 0x8000).load(0, new byte[0x1000]);
        elf.programHeader(0x60000001, 0x200, 0, 0, 0x1000, 0x1000);
        ElfFiles.write(folder.resolve("a"), elf.build());
        String report = Run.of("convert", file("a"), "-o", file("b"), "--to", "elf").expect(0).out();
        assertTrue(report.contains("lost  1 thing of the source that Guestcore does not read:"), report);
        assertTrue(report.contains("1 program header with content"), report);
    }
}

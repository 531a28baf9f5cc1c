package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.MadeUpKernel;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The commands of our own that {@code info} advises are run on the very kind of file that they are advised for. */
class AdviceTest {

    private static final Pattern CONVERSION = Pattern.compile("\\S+ (convert) (\\S+) -o (\\S+) --to (\\S+)");
    private static final Pattern SERVED = Pattern.compile(".*\\| \\S+ gdb (\\S+) --stdio'");

    @TempDir
    Path folder;

    private final MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);

    private String write(String format) throws IOException {
        Path core = folder.resolve("core." + format);
        if (format.equals("img")) {
            return "raw:" + Files.write(core, kernel.bytes());
        }
        try (Guest guest = kernel.guest().vcpu(kernel.registers()).build();
                OutputFile file = OutputFile.create(core, OutputFile.IfExists.FAIL)) {
            Guests.formats().stream()
                    .filter(one -> one.name().equals(format))
                    .findFirst()
                    .orElseThrow()
                    .writer(Map.of())
                    .plan(guest)
                    .write(file.sink(), Progress.none());
            file.commit();
        }
        return core.toString();
    }

    @Test
    void whatInfoAdvisesCanBeDone() throws IOException {
        int conversions = 0;
        int servings = 0;
        for (String format : List.of("elf", "kdump", "vbox", "xen", "lime", "avml", "img")) {
            String source = write(format);
            Map<?, ?> json = Run.of("info", "--json", "--scan", source).expect(0).json();
            List<?> next = (List<?>) json.get("next");
            assertTrue(next != null && next.size() >= 2, format + ": " + json.get("kernel"));
            for (Object one : next) {
                Map<?, ?> advice = (Map<?, ?>) one;
                String command = advice.get("command").toString();
                if (advice.containsKey("conversion")) {
                    Matcher typed = CONVERSION.matcher(advice.get("conversion").toString());
                    assertTrue(typed.matches(), format + ": " + advice);
                    Path target = folder.resolve(typed.group(3));
                    Files.deleteIfExists(target);
                    Run.of(typed.group(1), typed.group(2), "-o", target.toString(), "--to", typed.group(4)).expect(0);
                    try (Guest guest = Guests.open(target)) {
                        assertEquals(typed.group(4), guest.provenance().format());
                    }
                    // The debugger is given the file that the conversion makes.
                    assertTrue((command + " ").contains(" " + typed.group(3) + " "), command);
                    conversions++;
                }
                Matcher served = SERVED.matcher(command);
                if (served.matches()) {
                    assertEquals(source, served.group(1), command);
                    Run.of("read", "--virtual", source, "0x" + Long.toHexString(kernel.textAddress()), "16").expect(0);
                    servings++;
                }
            }
        }
        assertTrue(conversions >= 10, "conversions " + conversions);
        assertEquals(7, servings);
    }

    /** Nothing can be looked at in a dump that broke off before its memory. */
    @Test
    void ofADumpWithoutMemoryNothingIsSearched() throws IOException {
        byte[] whole = Files.readAllBytes(Path.of(write("xen")));
        Path part = Files.write(folder.resolve("part.core"), Arrays.copyOf(whole, 0x3000));
        String text = Run.of("info", part.toString()).expect(ExitCode.DAMAGED).out();
        String next = text.substring(text.indexOf("\nnext\n"));
        assertTrue(next.contains("verify --deep"), text);
        assertFalse(next.contains(" search ") || next.contains(" map ") || next.contains("--scan"), text);
    }

    private Path zipped(String core) throws IOException {
        Path file = folder.resolve("x.core.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            Files.copy(Path.of(core), out);
        }
        return file;
    }

    /** Other programs read no compressed file, so what they are given is made first. */
    @ParameterizedTest
    @ValueSource(strings = {"elf", "kdump", "xen"})
    void ofACompressedFileOthersGetAConvertedOne(String format) throws IOException {
        Path file = zipped(write(format));
        List<?> next = (List<?>) Run.of("info", "--json", "--scan", file.toString()).expect(0).json().get("next");
        // Beside crash, drgn and gdb: Volatility 3, of the formats that it may not read as they are.
        assertEquals(format.equals("elf") ? 3 : 4, next.size());
        for (Object one : next.subList(0, 2)) {
            Map<?, ?> advice = (Map<?, ?>) one;
            Matcher typed = CONVERSION.matcher(advice.get("conversion").toString());
            assertTrue(typed.matches(), advice::toString);
            assertEquals(file.toString(), typed.group(2));
            Path target = folder.resolve("x.core.elf");
            assertEquals(target.toString(), typed.group(3));
            assertTrue(advice.get("command").toString().endsWith("vmlinux " + target)
                    || advice.get("command").toString().endsWith("vmlinux -c " + target), advice::toString);
            Files.deleteIfExists(target);
            Run.of("convert", typed.group(2), "-o", target.toString(), "--to", typed.group(4)).expect(0);
            assertEquals("7f454c46", HexFormat.of().formatHex(Files.readAllBytes(target), 0, 4));
        }
        assertEquals("gdb", ((Map<?, ?>) next.getLast()).get("tool"));
    }

    /** What came through a pipe is gone: no command on "-" finds it again. */
    @Test
    void ofAPipeThereIsNoSecondLook() throws IOException {
        byte[] bytes = Files.readAllBytes(Path.of(write("elf")));
        assertFalse(fed(bytes, "info", "--json", "-").json().containsKey("next"));
        String text = fed(bytes, "info", "-").out();
        assertTrue(text.contains("6.1.0-9-example"), text);
        String next = text.substring(text.indexOf("\nnext\n"));
        Matcher command = Pattern.compile("(?m)^ +\\S+ (convert - -o (vm\\.core) --to elf) ").matcher(next);
        assertTrue(command.find(), next);
        assertFalse(text.replace(command.group(1), "").contains(" - "), text);
        Path target = folder.resolve(command.group(2));
        fed(bytes, "convert", "-", "-o", target.toString(), "--to", "elf");
        Run.of("info", target.toString()).expect(0);
    }

    private static Run fed(byte[] input, String... arguments) {
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(input));
        try {
            return Run.of(arguments).expect(0);
        } finally {
            System.setIn(before);
        }
    }

    /** Commands and sources in the error of a command, without the name of the program. */
    private static List<List<String>> advised(Run failed) {
        List<List<String>> commands = new ArrayList<>();
        Matcher quoted = Pattern.compile("`guestcore ([^`]+)`").matcher(failed.err());
        while (quoted.find()) {
            commands.add(List.of(quoted.group(1).split(" ")));
        }
        Matcher source = Pattern.compile("open it with ((?:raw|file):\\S+?)(?=[,;\\s])").matcher(failed.err());
        while (source.find()) {
            commands.add(List.of("info", source.group(1)));
        }
        return commands;
    }

    private static void follow(Run failed, int commands) {
        assertTrue(failed.code() != 0, failed::err);
        List<List<String>> advised = advised(failed);
        assertEquals(commands, advised.size(), failed::err);
        for (List<String> command : advised) {
            Run typed = Run.of(command.toArray(String[]::new));
            // A look at formats of which none matches ends by 1, and shows what was asked for.
            assertTrue(typed.code() <= ExitCode.FAILED && typed.out().lines().count() > 1, typed::toString);
        }
    }

    @Test
    void whatErrorsAdviseCanBeTyped() throws IOException {
        Path zeros = Files.write(folder.resolve("zeros"), kernel.bytes());
        follow(Run.of("info", zeros.toString()), 1);
        byte[] noise = new byte[8192];
        new Random(1).nextBytes(noise);
        follow(Run.of("info", Files.write(folder.resolve("unknown"), noise).toString()), 2);
        String core = write("elf");
        follow(Run.of("read", "--raw", core, "0x7ffe1000", "16"), 1);
        follow(Run.of("read", "--raw", "--virtual", core, "0x1000", "16"), 1);
        Run noCommand = Run.of(core);
        assertTrue(noCommand.err().contains("guestcore info " + core), noCommand.err());
        Run.of("info", core).expect(0);
        Path guest = Files.writeString(
                folder.resolve("guest.json"),
                "{\"regions\": [{\"kind\": \"ram\", \"address\": \"0x0\", \"size\": \"4K\"}]}");
        follow(Run.of("info", guest.toString()), 1);
    }
}

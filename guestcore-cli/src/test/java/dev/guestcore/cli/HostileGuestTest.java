package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Whoever makes a dump must not command the terminal of whoever looks at it, in whatever string of whatever format. */
@Tag("slow")
class HostileGuestTest {

    /** Colours by ESC and by C1, a title, text from right to left, ends of lines, a bell, a rubout. */
    private static final String HOSTILE = "\u001b[31m\u009b5m\u001b]0;x\u0007\u202e\u2066\u2028\r\n\u0085\t\u007f";

    private static final int ROUNDS = 6;

    @TempDir
    Path folder;

    private static String jsonString(String text) {
        StringBuilder json = new StringBuilder("\"");
        text.chars().forEach(character -> json.append(String.format("\\u%04x", character)));
        return json.append('"').toString();
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }

    private static String hex(String text) {
        return hex(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String extraNote() {
        byte[] name = ("X" + HOSTILE + "\0").getBytes(StandardCharsets.UTF_8);
        int padded = name.length + 3 & ~3;
        ByteBuffer note = ByteBuffer.allocate(12 + padded + 4).order(ByteOrder.LITTLE_ENDIAN);
        note.putInt(name.length).putInt(4).putInt(77).put(name);
        return hex(note.array());
    }

    /** A Linux guest with page tables, in which every string that a description can say is hostile. */
    private Path described(boolean xen) throws IOException {
        String release = "6.1" + HOSTILE;
        String banner = "Linux version 6.1.0-" + HOSTILE.replace("\n", "") + " (a@b) (gcc " + HOSTILE + ") #1 SMP\n";
        String vmcoreinfo =
                "OSRELEASE=" + release.replace("\n", "") + "\nPAGESIZE=4096\nSYMBOL(" + HOSTILE.replace("\n", "")
                        + ")=ffffffff81003000\nBUILD-ID=" + HOSTILE + "\nNUMBER(phys_base)=0\nKERNELOFFSET=0\n";
        String latin = HOSTILE.replaceAll("[^\\x00-\\xff]", "");
        String own = xen
                ? """
                  "xen": {"version": {"major": 4, "minor": 17, "extra": %s, "capabilities": %s, "changeset": %s}},
                  """
                        .formatted(jsonString(".7\u001b[1m"), jsonString("x" + latin), jsonString("y" + latin))
                : """
                  "virtualbox": {"version": "7.0.10", "revision": 1, "extraNotes": [{"hex": "%s"}]},
                  """
                        .formatted(extraNote());
        Path file = folder.resolve(xen ? "guest-xen.json" : "guest.json");
        Files.writeString(
                file,
                """
                {"provenance": {"hypervisor": %s, "hypervisorVersion": %s},
                 %s
                 "regions": [{"kind": "ram", "name": %s, "address": 0, "size": "4M", "contents": [
                    {"offset": "0x1ff8", "hex": "2720000000000000"},
                    {"offset": "0x2ff0", "hex": "2730000000000000"},
                    {"offset": "0x3040", "hex": "8301200000000000"},
                    {"offset": "0x6000", "size": "4K", "unreadable": true},
                    {"offset": "0x201000", "hex": "%s"},
                    {"offset": "0x300000", "hex": "%s"}]},
                  {"kind": "device", "name": %s, "address": "8M", "size": "64K"}],
                 "vcpus": [{"registers": {"cr0": "0x80000001", "cr3": "0x1000", "cr4": "0x20", "efer": "0xd01",
                     "rip": "0xffffffff81000000"}, "rawContexts": [{"kind": %s, "hex": "1b9b"}]}]}
                """
                        .formatted(
                                jsonString("H" + HOSTILE),
                                jsonString("V" + HOSTILE),
                                own,
                                jsonString("main" + HOSTILE),
                                hex(banner),
                                hex(vmcoreinfo),
                                jsonString("vga" + HOSTILE),
                                jsonString("raw" + HOSTILE)));
        return file;
    }

    private static void assertHarmless(Run run, String what) {
        assertHarmless(run.bytes(), what + ", standard output");
        assertHarmless(run.err().getBytes(StandardCharsets.UTF_8), what + ", standard error");
        assertTrue(Set.of(ExitCode.DONE, ExitCode.FAILED, ExitCode.USAGE, ExitCode.DAMAGED).contains(run.code()), what);
    }

    private static void assertHarmless(byte[] bytes, String what) {
        String text = "";
        try {
            text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            fail(what + ": not UTF-8", e);
        }
        text.codePoints().forEach(character -> {
            int type = Character.getType(character);
            boolean harmful = type == Character.CONTROL && character != '\n'
                    || type == Character.FORMAT
                    || type == Character.LINE_SEPARATOR
                    || type == Character.PARAGRAPH_SEPARATOR
                    || type == Character.SURROGATE;
            if (harmful) {
                fail(what + ": U+" + Integer.toHexString(character));
            }
        });
    }

    private void assertHarmlessInAllVerbs(String source) throws IOException {
        for (String[] verb : verbs(source)) {
            assertHarmless(Run.of(verb), Arrays.toString(verb));
        }
    }

    private List<String[]> verbs(String source) {
        List<String[]> verbs = new ArrayList<>();
        verbs.add(new String[] {"info", source});
        verbs.add(new String[] {"info", source, "--json"});
        verbs.add(new String[] {"info", source, "--all"});
        verbs.add(new String[] {"info", source, "--scan"});
        verbs.add(new String[] {"info", source, "--vmcoreinfo"});
        verbs.add(new String[] {"regs", source, "--all"});
        verbs.add(new String[] {"regs", source, "--json"});
        verbs.add(new String[] {"map", source});
        verbs.add(new String[] {"map", source, "--json"});
        verbs.add(new String[] {"map", source, "--virtual"});
        verbs.add(new String[] {"map", source, "--svg", "-"});
        verbs.add(new String[] {"read", source, "0x201000", "256"});
        verbs.add(new String[] {"read", source, "0x201000", "256", "--json"});
        verbs.add(new String[] {"read", source, "0x5ff0", "64"});
        verbs.add(new String[] {"translate", source, "0xffffffff81000000"});
        verbs.add(new String[] {"translate", source, "0xffffffff81000000", "--json"});
        verbs.add(new String[] {"search", source, "Linux version"});
        verbs.add(new String[] {"search", source, "Linux version", "--json"});
        verbs.add(new String[] {"search", source, "--regex", "Linux [ -~]+\\x1b"});
        verbs.add(new String[] {"diff", source, "demo:"});
        verbs.add(new String[] {"diff", source, source, "--json"});
        if (!source.startsWith("file:")) {
            verbs.add(new String[] {"verify", source});
            verbs.add(new String[] {"verify", source, "--json"});
            verbs.add(new String[] {"verify", source, "--deep", "--against", "demo:"});
            verbs.add(new String[] {"formats", source});
        }
        return verbs;
    }

    @Test
    void noStringOfAGuestReachesTheTerminalAsItIs() throws IOException {
        for (boolean xen : new boolean[] {false, true}) {
            String source = "file:" + described(xen);
            assertHarmlessInAllVerbs(source);
            for (String format : List.of("vbox", "xen", "elf", "kdump", "raw", "lime", "avml")) {
                Path core = folder.resolve(xen + "." + format);
                List<String> command = new ArrayList<>(
                        List.of("capture", source, "-o", core.toString(), "--to", format, "--manifest"));
                if (List.of("vbox", "xen", "elf", "kdump").contains(format)) {
                    command.add("--keep");
                }
                Run written = Run.of(command.toArray(String[]::new)).expect(ExitCode.DAMAGED);
                assertHarmless(written, "capture --to " + format);
                assertHarmlessInAllVerbs(core.toString());
                assertHarmless(Run.of("verify", "--manifest", core.toString()), "manifest of " + format);
                assertHarmless(
                        Run.of("convert", core.toString(), "-o", folder + "/again", "--to", "raw", "--json", "--force"),
                        "convert from " + format);
            }
        }
    }

    /** Sequences anywhere in headers, notes and tables: whatever a message quotes of a file is harmless. */
    @Test
    void noDamageReachesTheTerminalAsItIs() throws IOException {
        byte[] hostile = HOSTILE.getBytes(StandardCharsets.UTF_8);
        Random random = new Random(4);
        String source = "file:" + described(false);
        for (String format : List.of("vbox", "xen", "elf", "kdump", "raw", "lime", "avml")) {
            Path core = folder.resolve("good." + format);
            Run.of("capture", source, "-o", core.toString(), "--to", format).expect(ExitCode.DAMAGED);
            damage(core, hostile, random);
        }
        for (String sample : List.of("xen/pv64-mini", "vbox/7.0.10-A")) {
            damage(Samples.core(sample), hostile, random);
        }
    }

    private void damage(Path core, byte[] hostile, Random random) throws IOException {
        byte[] good = Files.readAllBytes(core);
        Path bad = folder.resolve("bad");
        Path map = Path.of(core + ".map.json");
        if (Files.exists(map)) {
            Files.copy(map, Path.of(bad + ".map.json"), StandardCopyOption.REPLACE_EXISTING);
        }
        for (int round = 0; round < ROUNDS; round++) {
            byte[] bytes = good.clone();
            // Headers first, each word of them sooner or later; then anywhere in notes and tables.
            int range = round % 2 == 0 ? 0x200 : Math.min(bytes.length, 0x4000);
            System.arraycopy(hostile, 0, bytes, random.nextInt(range), hostile.length);
            Files.write(bad, bytes);
            String source = bad.toString();
            for (String[] verb : new String[][] {
                {"info", source},
                {"info", source, "--json"},
                {"verify", source},
                {"verify", source, "--json"},
                {"regs", source},
                {"map", source},
                {"formats", source},
                {"convert", source, "-o", folder + "/again", "--to", "raw", "--force"}
            }) {
                assertHarmless(Run.of(verb), Arrays.toString(verb));
            }
        }
        Files.deleteIfExists(Path.of(bad + ".map.json"));
    }

    @Test
    void noNameOfAFileReachesTheTerminalAsItIs() throws IOException {
        String source = "file:" + described(false);
        String name = folder.resolve("n" + HOSTILE.replace("\u2066", "")).toString();
        assertHarmlessInAllVerbs(name);
        assertHarmlessInAllVerbs("qemu:" + name);
        assertHarmlessInAllVerbs("raw:" + name);
        assertHarmlessInAllVerbs("split:" + name);
        assertHarmlessInAllVerbs("file:" + name);
        for (String json : new String[] {"", " --json"}) {
            for (String command : List.of("capture", "convert")) {
                String[] arguments = (command + " " + source + " --to kdump --manifest --force -o" + json).split(" ");
                List<String> words = new ArrayList<>(List.of(arguments));
                words.add(words.indexOf("-o") + 1, name);
                assertHarmless(Run.of(words.toArray(String[]::new)), words.toString());
            }
            assertHarmlessInAllVerbs(name);
            Files.writeString(Path.of(name), HOSTILE);
            assertHarmlessInAllVerbs(name);
            assertHarmlessInAllVerbs("file:" + name);
            assertHarmlessInAllVerbs("raw:" + name);
        }
        assertHarmless(Run.of("verify", "--manifest", name), "manifest");
        assertHarmless(Run.of(HOSTILE), "no verb");
        assertHarmless(Run.of("info", source, "--" + HOSTILE), "no option");
        assertHarmless(Run.of("read", source, HOSTILE), "no address");
        assertHarmless(Run.of("search", source, "--regex", "(" + HOSTILE), "no expression");
        assertHarmless(Run.of("regs", source, "--cpu", HOSTILE), "no vCPU");
        assertHarmless(Run.of("gdb", source, "--listen", HOSTILE), "no address to listen at");
        assertHarmless(Run.of("capture", source, "--to", HOSTILE, "-o", name), "no format");
        assertEquals(1, Run.of("info", name).err().lines().count());
    }
}

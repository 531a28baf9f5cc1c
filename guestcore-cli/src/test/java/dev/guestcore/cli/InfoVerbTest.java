package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ElfFiles;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The first minute: what {@code info} says first, and that what it says next can be typed. */
class InfoVerbTest {

    @TempDir
    Path folder;

    private static String sample() {
        return Samples.core("vbox/7.0.10-A").toString();
    }

    private static void inOrder(String text, String... parts) {
        int at = 0;
        for (String part : parts) {
            int found = text.indexOf(part, at);
            assertTrue(found >= 0, () -> "'" + part + "' in this order in:\n" + text);
            at = found + part.length();
        }
    }

    @Test
    void whatPeopleCameForStandsFirst() throws IOException {
        String guest = PagedGuest.withLinux(folder);
        String out = Run.of("info", guest).expect(0).out();
        List<String> lines = out.lines().toList();
        assertTrue(lines.get(0).startsWith("Linux " + PagedGuest.RELEASE + ", x86-64"), out);
        assertTrue(lines.get(1).startsWith(guest + ": "), out);
        inOrder(out, "\nkernel\n", "\nvCPUs\n", "\nno problems found\n", "\nformat\n", "\nmemory map\n",
                "\ndebuggers (", "\nnext\n");
        assertTrue(out.matches("(?s).*\\R  0  \\S.*  rip 0x[0-9a-f]+  cr3 0x1000\\R.*"), out);
    }

    @Test
    void theTimeOfTheCaptureStandsInTheHeadline() {
        String core = folder.resolve("a.kdump").toString();
        Run.of("capture", "demo:ram=4M", "-o", core, "--to", "kdump").expect(0);
        String headline = Run.of("info", core).expect(0).out().lines().findFirst().orElseThrow();
        assertTrue(headline.matches(".*, captured 20\\d\\d-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC"), headline);
        assertFalse(headline.contains("running"), "a file does not tell");
        String live = Run.of("info", "demo:ram=4M").expect(0).out().lines().findFirst().orElseThrow();
        assertTrue(live.matches(".*, running, captured 20\\d\\d-.*"), live);
    }

    @Test
    void anUnknownSystemIsSaidToBeUnknownAndHowToLookForIt() {
        String out = Run.of("info", sample()).expect(0).out();
        assertTrue(out.startsWith("Unknown operating system, x86"), out);
        assertTrue(out.contains("guestcore info --scan " + sample()), out);
        assertFalse(Run.of("info", "--scan", "demo:ram=4M").expect(0).out().contains("info --scan"), "it was searched");
    }

    /** It is decompressed before anything is shown. */
    @Test
    void ofACompressedFileItShowsHowFarItIs() throws IOException {
        byte[] memory = new byte[2 << 20];
        new Random(1).nextBytes(memory);
        byte[] core = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 3 << 20).load(0, memory).build();
        Path file = folder.resolve("vm.core.gz");
        try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
            out.write(core);
        }
        Run run = Run.of("info", file.toString(), "--progress", "json").expect(0);
        assertTrue(run.err().contains("\"decompressing\""), run.err());
    }

    /** Of a machine whose registers cannot be read there is nothing but their bytes. */
    @Test
    void registersThatAreNotKnownAreNotPromised() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.BIG_ENDIAN, 43, 1 << 14);
        byte[] note = elf.note("CORE", 1, new byte[300]);
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        Path core = ElfFiles.write(folder.resolve("sparc.core"), elf.load(0x1000, new byte[4096]).build());
        String out = Run.of("info", core.toString()).expect(0).out();
        assertFalse(out.contains("shows all registers"), out);
        assertTrue(out.contains("shows what the source has of the vCPUs"), out);
    }

    @Test
    void damageIsAFindingAndVerifyIsTheNextStep() throws IOException {
        byte[] whole = Files.readAllBytes(Path.of(sample()));
        Path cut = Files.write(folder.resolve("cut.core"), java.util.Arrays.copyOf(whole, whole.length * 3 / 4));
        String out = Run.of("info", cut.toString()).expect(ExitCode.DAMAGED).out();
        inOrder(out, "\nfindings\n", "  damage  ", "\nnext\n", "guestcore verify --deep " + cut);
        assertFalse(out.contains("no problems found"), out);
        assertFalse(out.contains("damage  " + cut), "the file was named in the second line");
    }

    @Test
    void aLongMapIsFoldedAndSaysHowToSeeAll() throws IOException {
        StringBuilder regions = new StringBuilder();
        for (int i = 0; i < 20; i++) {
            regions.append(i == 0 ? "" : ",")
                    .append("{\"kind\": \"ram\", \"name\": \"r" + i + "\", \"address\": " + i * 8192
                            + ", \"size\": 4096}");
        }
        Path json = Files.writeString(folder.resolve("g.json"), "{\"regions\": [" + regions + "]}");
        String out = Run.of("info", "file:" + json).expect(0).out();
        assertTrue(out.contains("… and 4 regions more (--all lists them)"), out);
        String all = Run.of("info", "--all", "file:" + json).expect(0).out();
        assertTrue(all.contains("  r19") && !all.contains("--all"), all);
    }

    @Test
    void everyCommandUnderNextCanBeTyped() throws IOException {
        for (String source : List.of(sample(), "demo:ram=4M", PagedGuest.withLinux(folder))) {
            String out = Run.of("info", source).expect(0).out();
            Matcher commands = Pattern.compile("(?m)^  guestcore (\\S.*?)  ")
                    .matcher(out.substring(out.indexOf("\nnext\n")));
            int run = 0;
            while (commands.find()) {
                List<String> words = new ArrayList<>(List.of(commands.group(1).split(" ")));
                words.replaceAll(word -> word.equals("vm.core") ? folder.resolve("vm.core").toString() : word);
                Run result = Run.of(words.toArray(String[]::new));
                // A search for TEXT finds nothing, which is no error.
                assertTrue(result.code() == 0 || words.getFirst().equals("search"), words + result.err());
                assertEquals("", result.errBesideTheLook(), words.toString());
                run++;
            }
            assertTrue(run >= 3, out);
        }
    }

    /** A search that takes less than a second is made unasked. Now and then a busy machine may need longer. */
    private static void assertFoundUnasked(String source, String headline) {
        String first = "";
        for (int i = 0; i < 10 && !first.equals(headline); i++) {
            first = Run.of("info", source).expect(0).out().lines().findFirst().orElseThrow();
        }
        assertEquals(headline, first);
    }

    @Test
    void memoryAloneIsOfTheMachineThatTheKernelNames() throws IOException {
        Path image = folder.resolve("image");
        byte[] memory = new byte[0x10000];
        byte[] banner =
                ("Linux version 6.1.0-9-arm64 (a@b) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld) #1 SMP Debian 6.1.27-1\n")
                        .getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(banner, 0, memory, 0x3000, banner.length);
        Files.write(image, memory);
        String first = Run.of("info", "--scan", "raw:" + image + "@0x40000000").expect(0).out().lines().findFirst()
                .orElseThrow();
        assertTrue(first.contains("arm64") && !first.contains("x86"), first);
        assertFoundUnasked("raw:" + image + "@0x40000000", first);
        Files.write(image, new byte[0x10000]);
        first = Run.of("info", "--scan", "raw:" + image + "@0x40000000").expect(0).out().lines().findFirst()
                .orElseThrow();
        assertFalse(first.contains("x86"), first);
    }
}

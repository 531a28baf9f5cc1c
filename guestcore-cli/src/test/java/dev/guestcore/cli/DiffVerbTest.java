package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Two guests compared on the command line. */
class DiffVerbTest {

    @TempDir
    Path folder;

    private String before = "";
    private String after = "";

    @BeforeEach
    void describeGuests() throws IOException {
        before = guest("before", "00", "0x1");
        after = guest("after", "2a", "0x2");
    }

    /** 256 pages of RAM, of which page 16 begins with {@code hex}. */
    private String guest(String name, String hex, String rax) throws IOException {
        Path file = folder.resolve(name + ".json");
        Files.writeString(
                file,
                """
                {"regions": [{"kind": "ram", "name": "main", "address": 0, "size": "1M",
                              "contents": [{"fill": 7}, {"offset": "0x10000", "hex": "%s"}]}],
                 "vcpus": [{"registers": {"rax": "%s", "rbx": "0x3"}}]}
                """
                        .formatted(hex, rax));
        return "file:" + file;
    }

    @Test
    void showsWhereGuestsDiffer() {
        Run run = Run.of("diff", before, after).expect(ExitCode.FAILED);
        assertTrue(run.out().contains("differs: 4 KiB in 1 range"), run.out());
        assertTrue(run.out().contains("first at 0x10000, 1 bytes in all"), run.out());
        assertTrue(run.out().contains("rax: 0x1 here, 0x2 there"), run.out());
        assertFalse(run.out().contains("rbx"), run.out());
        List<String> map = run.out().lines().filter(line -> line.startsWith("0x")).toList();
        assertTrue(map.getFirst().contains("·░·") && map.getFirst().contains(" <1%  main"), run.out());
        assertEquals("", run.err());
    }

    @Test
    void tellsPrograms() {
        Map<?, ?> json = Run.of("diff", "--json", before, after).expect(ExitCode.FAILED).json();
        assertEquals(before, json.get("here"));
        assertEquals(false, json.get("sameMemory"));
        assertEquals(1L, json.get("differingBytes"));
        List<?> ranges = (List<?>) ((Map<?, ?>) json.get("differing")).get("ranges");
        assertEquals(List.of(Map.of("first", "0x10000", "last", "0x10fff")), ranges);
        Map<?, ?> vcpu = (Map<?, ?>) ((List<?>) json.get("vcpus")).getFirst();
        assertEquals(Map.of("rax", Map.of("here", "0x1", "there", "0x2")), vcpu.get("registers"));
    }

    @Test
    void theSameIsTheSame() {
        Run run = Run.of("diff", before, before).expect(0);
        assertTrue(run.out().contains("memory     the same, 1 MiB compared"), run.out());
        assertTrue(run.out().contains("registers  the same"), run.out());
        assertFalse(run.out().contains("0x000000000000 "), "no picture of nothing");
        Run.of("capture", before, "-o", folder.resolve("a").toString(), "--to", "vbox").expect(0);
        Run.of("diff", before, folder.resolve("a").toString()).expect(0);
    }

    @Test
    void drawsAPicture() throws IOException {
        String file = folder.resolve("changes.svg").toString();
        Run.of("diff", "--svg", file, before, after).expect(ExitCode.FAILED);
        String svg = Files.readString(folder.resolve("changes.svg"));
        assertTrue(svg.contains("1 page changed, under 1 %"), svg);
        assertTrue(svg.contains("<rect class=\"changed\" x=\"224\""), "page 16 of 256 lies in cell 4, 6 wide each");
        assertEquals(svg, Run.of("diff", "--svg", "-", before, after).expect(ExitCode.FAILED).out());
        Run.of("diff", "--svg", file, before, after).failsWith(ExitCode.FAILED, "exists already");
        Run.of("diff", "--svg", file, "--force", before, before).expect(0);
        assertFalse(Files.readString(folder.resolve("changes.svg")).contains("page changed"));
    }

    @Test
    void listsAllOnRequest() throws IOException {
        String guest = folder.resolve("many.json").toString();
        Files.writeString(
                Path.of(guest),
                """
                {"regions": [{"kind": "ram", "name": "main", "address": 0, "size": "1M",
                              "contents": [{"fill": 7}, {"fill": 8, "pages": {"modulo": 8, "remainders": [1]}}]}],
                 "vcpus": [{"registers": {"rax": 1, "rbx": 3}}]}
                """);
        String few = Run.of("diff", before, "file:" + guest).expect(ExitCode.FAILED).out();
        // Every eighth of 256 pages makes 32 ranges; page 16 differs too and joins the one behind it.
        assertTrue(few.contains("… and 24 more"), few);
        String all = Run.of("diff", "--all", before, "file:" + guest).expect(ExitCode.FAILED).out();
        assertTrue(all.contains("0xf9000-0xf9fff") && !all.contains("more"), all);
    }

    @Test
    void damageIsTold() throws IOException {
        byte[] whole = Files.readAllBytes(Samples.core("vbox/7.0.10-A"));
        Path cut = Files.write(folder.resolve("cut.core"), Arrays.copyOf(whole, whole.length - 10_000));
        Run run = Run.of("diff", Samples.core("vbox/7.0.10-A").toString(), cut.toString()).expect(ExitCode.DAMAGED);
        assertTrue(run.err().startsWith("guestcore: damaged: "), run.err());
        assertTrue(run.out().contains("here, unreadable there") || run.out().contains("only in "), run.out());
    }

    @Test
    void canBeCancelled() {
        Run run = Run.watched(Cancellation::request, "diff", before, after, "--progress", "json");
        assertEquals(ExitCode.CANCELLED, run.code());
    }

    @Test
    void wrongCommandLines() {
        Run.of("diff", before).refuses("<there>");
        Run.of("diff", before, after, "--force").refuses("--svg");
        assertTrue(
                Run.of("diff", before, after, "--json", "--svg", "-").expect(ExitCode.USAGE).err().contains("--json"));
        Run.of("diff", before, folder.resolve("missing").toString()).failsWith(ExitCode.FAILED, "no such file");
    }
}

package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.Samples;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Guest-virtual addresses on the command line. */
class AddressVerbsTest {

    @TempDir
    Path folder;

    private String guest = "";

    @BeforeEach
    void describeGuest() throws IOException {
        guest = PagedGuest.in(folder);
    }

    private Map<?, ?> translation(int code, String address, String... more) {
        String[] arguments = new String[4 + more.length];
        System.arraycopy(new String[] {"translate", guest, address, "--json"}, 0, arguments, 0, 4);
        System.arraycopy(more, 0, arguments, 4, more.length);
        return Run.of(arguments).expect(code).json();
    }

    private static List<Map<?, ?>> lines(Run run) {
        return run.out().lines()
                .<Map<?, ?>>map(line -> (Map<?, ?>) Run.parse(line.getBytes(StandardCharsets.UTF_8)))
                .toList();
    }

    @Test
    void translatesEntryByEntry() {
        String out = Run.of("translate", guest, "0xffffffff81000123").expect(0).out();
        assertTrue(out.contains("4-level (efer.LMA is set, cr4.LA57 is clear)"), out);
        assertTrue(out.matches("(?s).*PML4E +511 +0x1ff8 +0x2027 +table at 0x2000.*"), out);
        assertTrue(out.matches("(?s).*PDPTE +510 +0x2ff0 +0x3027 +table at 0x3000.*"), out);
        assertTrue(out.matches("(?s).*PDE +8 +0x3040 +0x200183 +page at 0x200000.*"), out);
        assertTrue(out.matches("(?s).*guest-physical +0x200123 \\(RAM main\\).*"), out);
        assertTrue(out.matches("(?s).*page +2 MiB.*"), out);
        assertTrue(out.contains("rwx-g  read, write, execute, in kernel mode only; global"), out);
        Map<?, ?> json = translation(0, "0xffffffff81200010");
        assertEquals("mapped", json.get("outcome"));
        assertEquals("0x5010", json.get("guestPhysical"));
        assertEquals(4096L, json.get("pageSize"));
        assertEquals(
                Map.of("writable", false, "executable", false, "user", true, "global", false), json.get("rights"));
        assertEquals(4, ((List<?>) json.get("steps")).size());
    }

    @Test
    void saysWhyAnAddressLeadsNowhere() {
        assertEquals("not-present", translation(1, "0xffffffff81400000").get("outcome"));
        assertEquals("table-unreadable", translation(1, "0xffffffff81800000").get("outcome"));
        assertEquals("not-canonical", translation(1, "0x800000000000").get("outcome"));
        Map<?, ?> reserved = translation(1, "0xffffffff81600000");
        assertEquals("reserved-bits", reserved.get("outcome"));
        Map<?, ?> last = (Map<?, ?>) ((List<?>) reserved.get("steps")).getLast();
        assertEquals("0x2000", last.get("reservedBits"));
        String out = Run.of("translate", guest, "0xffffffff81601234").expect(1).out();
        assertTrue(out.contains("a page-table entry has reserved bits set"), out);
        assertTrue(out.contains("2 MiB of 0xffffffff81600000-0xffffffff817fffff"), out);
        assertTrue(Run.of("translate", guest, "0x800000000000").expect(1).out().contains("not an address"), out);
    }

    @Test
    void aRootOrAVcpuCanBeChosen() {
        assertEquals("not-present", translation(1, "0").get("outcome"));
        assertEquals("0x5000", translation(0, "0", "--cpu", "1").get("physical"));
        assertEquals("0x5000", translation(0, "0", "--cr3", "0x8000").get("physical"));
        // The bit is no part of the address: without saying so, the root would lie at 0x800000008000.
        Run.of("translate", guest, "0", "--cr3", "0x800000008000").failsWith(ExitCode.FAILED, "with --c-bit 47");
        assertEquals("0x5000", translation(0, "0", "--cr3", "0x800000008000", "--c-bit", "47").get("physical"));
        assertEquals("reserved-bits", translation(1, "0xffffffff81800000", "--physical-bits", "39").get("outcome"));
    }

    @Test
    void aMissingRegisterCanBeStated() {
        // The other vCPUs tell the mode, but not where the tables of this one are.
        Run.of("translate", guest, "0", "--cpu", "2").failsWith(ExitCode.FAILED, "register cr3", "with --root");
        Run.of("translate", guest, "0", "--cpu", "2", "--paging", "4-level")
                .failsWith(ExitCode.FAILED, "register cr3", "with --root");
        String[] stated = {"--cpu", "2", "--paging", "4-level", "--cr3", "0x8000"};
        assertEquals("0x5000", translation(0, "0", stated).get("physical"));
        Run.of("translate", guest, "0", "--cpu", "3").failsWith(ExitCode.FAILED, "there is no vCPU 3", "are 3");
    }

    @Test
    void xenGuestsHaveTwoKindsOfPhysicalAddress() {
        String core = Samples.core("xen/pv64-mini").toString();
        Map<?, ?> json = Run.of("translate", core, "0xffffffff80108000", "--json").expect(0).json();
        assertEquals("machine", json.get("physicalSpace"));
        assertEquals("0x108000", json.get("guestPhysical"));
        String out = Run.of("translate", core, "0xffffffff80108000").expect(0).out();
        assertTrue(out.contains("  machine ") && out.contains("  guest-physical  0x108000"), out);
        String hex = Run.of("read", core, "--virtual", "0xffffffff80108000", "16").expect(0).out();
        assertTrue(hex.startsWith("0xffffffff80108000  4d 49 4e 49 50 56 20 6e"), hex);
    }

    @Test
    void readsThroughPageTables() {
        String hex = Run.of("read", guest, "--virtual", "0xffffffff81200ff0", "32").expect(0).out();
        List<String> lines = hex.lines().toList();
        assertTrue(lines.get(0).startsWith("0xffffffff81200ff0  00 00"), hex);
        assertTrue(lines.get(1).startsWith("0xffffffff81201000  ?? ??"), hex);
        byte[] needle = PagedGuest.NEEDLE.getBytes(StandardCharsets.US_ASCII);
        String length = Integer.toString(needle.length);
        assertArrayEquals(
                needle, Run.of("read", guest, "--virtual", "0xffffffff81200000", length, "--raw").expect(0).bytes());
        assertArrayEquals(needle, Run.of("read", guest, "--virtual", "0", length, "--raw", "--cpu", "1").bytes());
        Run.of("read", guest, "--virtual", "0xffffffff81600000", "--raw")
                .failsWith(ExitCode.FAILED, "0xffffffff81600000", "reserved bits");
    }

    @Test
    void listsWhatIsMapped() {
        String out = Run.of("map", "--virtual", guest).expect(0).out();
        List<String> lines = out.lines().toList();
        assertEquals("4-level (efer.LMA is set, cr4.LA57 is clear), root at guest-physical 0x1000", lines.get(0));
        assertTrue(lines.get(2).matches("0xffffffff81000000-0xffffffff811fffff +2 MiB +2M rwx-g +0x200000"), out);
        assertTrue(lines.get(3).matches("0xffffffff81200000-0xffffffff81201fff +8 KiB +4K r--u- +0x5000"), out);
        assertTrue(out.contains("entries with reserved bits set: 1"), out);
        assertTrue(out.contains("tables that the source does not have: 1"), out);
        List<Map<?, ?>> json = lines(Run.of("map", "--virtual", "--json", guest).expect(0));
        assertEquals(3, json.size());
        assertEquals("0xffffffff81000000", json.get(0).get("first"));
        assertEquals(2L << 20, json.get(0).get("pageSize"));
        assertEquals("0xffffffff81201fff", json.get(1).get("last"));
        assertEquals(2L, ((Map<?, ?>) json.get(2).get("summary")).get("ranges"));
        String range = "0xffffffff81201000-0xffffffff81ffffff";
        List<Map<?, ?>> part = lines(Run.of("map", "--virtual", "--json", "--range", range, guest).expect(0));
        assertEquals("0xffffffff81201000", part.get(0).get("first"));
        assertEquals("0x6000", part.get(0).get("physical"));
        assertEquals(2, part.size());
    }

    @Test
    void findsTextBytesAndExpressions() {
        Run run = Run.of("search", guest, "needle").expect(0);
        assertTrue(run.out().contains("0x5000  main  6 bytes"), run.out());
        assertTrue(run.out().contains("0x200104  main  6 bytes"), run.out());
        assertTrue(run.out().contains("|.[2Jneedle in a"), run.out());
        assertTrue(run.out().contains("2 found; "), run.out());
        assertFalse(run.out().contains("\u001b"), "nothing of the guest reaches the terminal as it is");
        assertEquals(List.of("0x5000", "0x200104", "0x3ffff0"), addresses("needle", "--utf16"));
        assertEquals(List.of("0x200100"), addresses("1b 5b 32 4a", "--hex"));
        assertEquals(List.of("0x200100"), addresses("\\x1b\\[[0-9]J", "--regex"));
        assertEquals(List.of("0x5000"), addresses("needle", "--limit", "1"));
        assertEquals(List.of("0x200104"), addresses("needle", "--range", "0x5001-0xffffff"));
    }

    @Test
    void saysWhatCouldNotBeSearched() throws IOException {
        Path lost = Files.writeString(folder.resolve("lost.json"), """
                {"regions": [{"kind": "ram", "name": "main", "address": 0, "size": "12K", "contents": [
                   {"offset": 0, "text": "needle"}, {"offset": "4K", "size": "4K", "unreadable": true}]}]}
                """);
        Run run = Run.of("search", "file:" + lost, "needle").expect(ExitCode.DAMAGED);
        assertTrue(run.out().contains("4 KiB could not be searched"), run.out());
    }

    private List<Object> addresses(String pattern, String... more) {
        return hits(pattern, more).stream().<Object>map(hit -> hit.get("address")).toList();
    }

    private List<Map<?, ?>> hits(String pattern, String... more) {
        String[] arguments = new String[4 + more.length];
        System.arraycopy(new String[] {"search", guest, pattern, "--json"}, 0, arguments, 0, 4);
        System.arraycopy(more, 0, arguments, 4, more.length);
        List<Map<?, ?>> lines = lines(Run.of(arguments).expect(0));
        assertEquals((long) lines.size() - 1, ((Map<?, ?>) lines.getLast().get("summary")).get("hits"));
        return lines.subList(0, lines.size() - 1);
    }

    @Test
    void findsAtVirtualAddresses() {
        assertEquals(List.of("0xffffffff81000104", "0xffffffff81200000"), addresses("needle", "--virtual"));
        Map<?, ?> hit = hits("needle", "--virtual", "--cpu", "1", "--context", "0").getFirst();
        assertEquals("0x0", hit.get("address"));
        assertEquals("0x5000", hit.get("physical"));
        assertEquals("rwxu-", hit.get("rights"));
        assertEquals("6e6565646c65", hit.get("context"));
    }

    @Test
    void saysWhenNothingIsFound() {
        Run run = Run.of("search", guest, "haystack").expect(ExitCode.FAILED);
        assertTrue(run.out().startsWith("nothing found; "), run.out());
        assertEquals("", run.err());
    }

    @Test
    void paintsTheFind() {
        Console.Terminal terminal = new Console.Terminal(true, false, true, 80);
        String out = Run.of(terminal, "search", guest, "needle", "--limit", "1").expect(0).out();
        assertTrue(out.contains("\u001b[38;5;28m6e 65 65 64 6c 65\u001b[0m 20 69  6e"), out);
        assertTrue(out.contains("|\u001b[38;5;28mneedle\u001b[0m in a page|"), out);
        Console.Terminal plain = new Console.Terminal(true, false, false, 80);
        String narrow = Run.of(plain, "search", guest, "needle").expect(0).out();
        assertTrue(narrow.lines().allMatch(line -> line.length() <= 80), narrow);
        assertTrue(narrow.contains("\n0x00005000  6e 65"), narrow);
    }

    @Test
    void searchCanBeCancelled() {
        Run run = Run.watched(Cancellation::request, "search", "demo:", "needle", "--progress", "json");
        assertEquals(ExitCode.CANCELLED, run.code());
        assertTrue(run.err().endsWith("guestcore: cancelled" + System.lineSeparator()), run.err());
    }

    @Test
    void aReaderThatHasSeenEnoughEndsTheSearch() {
        OutputStream closed = new OutputStream() {
            @Override
            public void write(int value) throws IOException {
                throw new IOException("Broken pipe");
            }
        };
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Main.run(new Console(closed, err, Console.Terminal.none()), "search", guest, "needle");
        assertEquals("", err.toString(StandardCharsets.UTF_8));
    }

    @Test
    void wrongCommandLines() {
        Run.of("translate", guest, "0", "--c-bit", "11").refuses("--c-bit", "12 to 51");
        Run.of("translate", guest, "0", "--physical-bits", "53").refuses("--physical-bits", "32 to 52");
        Run.of("translate", guest, "0", "--paging", "6-level").refuses("6-level", "5-level");
        Run.of("read", guest, "0", "--cpu", "1").refuses("--virtual");
        Run.of("read", guest, "0", "--virtual", "--machine").refuses("--virtual and --machine");
        Run.of("map", guest, "--cr3", "0").refuses("--virtual");
        Run.of("map", guest, "--range", "0-1").refuses("--virtual");
        Run.of("map", guest, "--virtual", "--scan").refuses("--scan");
        Run.of("map", guest, "--virtual", "--range", "2-1").refuses("ends before it begins");
        Run.of("map", guest, "--virtual", "--range", "2").refuses("0x1000-0x1fff");
        Run.of("search", guest, "a", "--hex", "--regex").refuses("--hex", "--regex");
        Run.of("search", guest, "abc", "--hex").refuses("hexadecimal digits");
        Run.of("search", guest, "a(", "--regex").refuses("a(");
        Run.of("search", guest, "", "--utf16").refuses("1 to 4096 bytes");
        Run.of("search", guest, "a", "--context", "5000").refuses("0 to 4096");
        Run.of("search", guest, "a", "--limit", "0").refuses("--limit");
    }
}

package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.AddressMaps;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Task;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Commands for Linux guests, on memory in which something was overwritten. */
@Tag("slow")
@Tag("foreign")
class DamagedLinuxTest {

    @TempDir
    static Path folder;

    private static Path raw = Path.of("");
    private static Linux linux;
    private static Guest guest;

    @BeforeAll
    static void copyMemory() throws Exception {
        raw = folder.resolve("raw");
        CommandLine.run(folder, "convert", KnownLinux.STOCK.kdump().toString(), "--to", "raw", "-o", raw.toString())
                .expect(0);
        guest = Guests.open(raw);
        linux = Linux.of(guest);
    }

    @AfterAll
    static void close() {
        guest.close();
    }

    private static Task task(String name) {
        return linux.tasks().stream().filter(task -> task.name().equals(name)).findFirst().orElseThrow();
    }

    /** What happens to a guest whose memory holds other bytes at a kernel address. */
    private static CommandLine.Ended with(long address, byte[] bytes, int code, String... arguments) throws Exception {
        return with(Map.of(address, bytes), code, arguments);
    }

    /** The same for several addresses. */
    private static CommandLine.Ended with(Map<Long, byte[]> changes, int code, String... arguments) throws Exception {
        Map<Long, ByteBuffer> before = new LinkedHashMap<>();
        try (FileChannel file = FileChannel.open(raw, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            for (Map.Entry<Long, byte[]> change : changes.entrySet()) {
                long place = linux.image().space().translate(change.getKey()).physical().orElseThrow().value();
                ByteBuffer old = ByteBuffer.allocate(change.getValue().length);
                file.read(old, place);
                before.put(place, old.flip());
                file.write(ByteBuffer.wrap(change.getValue()), place);
            }
            try {
                return CommandLine.run(folder, arguments).expect(code);
            } finally {
                for (Map.Entry<Long, ByteBuffer> old : before.entrySet()) {
                    file.write(old.getValue(), old.getKey());
                }
            }
        }
    }

    /** How a list is changed to lead past an entry, as list_del does, but that the entry keeps its own links. */
    private static Map<Long, byte[]> past(KernelObject entry) {
        long next = entry.get("next").asLong();
        long previous = entry.get("prev").asLong();
        return Map.of(previous, number(next), next + Long.BYTES, number(previous));
    }

    private static byte[] number(long value) {
        return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    }

    private static byte[] ones(int count) {
        byte[] bytes = new byte[count];
        Arrays.fill(bytes, (byte) -1);
        return bytes;
    }

    private static Set<String> names(String stacks) {
        return stacks.lines()
                .filter(line -> line.matches("  \\d+ .*"))
                .flatMap(line -> Arrays.stream(line.strip().split(", ?")))
                .collect(Collectors.toSet());
    }

    /** The table of process ids leads to those that the list of processes no longer does. */
    @Test
    void aListOfProcessesThatIsCutHidesNone() throws Exception {
        KernelObject sleeper = task("sleeper").object();
        long next = sleeper.get("tasks.next").address();
        Set<String> stacks = names(CommandLine.run(folder, "bt", raw.toString(), "--all").expect(0).out());
        assertTrue(stacks.size() > 50, stacks::toString);
        List<String> sockets = CommandLine.run(folder, "ss", raw.toString()).expect(0).out().lines().sorted().toList();
        assertTrue(sockets.size() > 10, sockets::toString);
        for (long wrong : new long[] {0x4141_4141_4141_4141L, task("kthreadd").object().get("tasks").address()}) {
            CommandLine.Ended bt = with(next, number(wrong), 3, "bt", raw.toString(), "--all");
            assertEquals(stacks, names(bt.out()));
            assertTrue(bt.lastLine(3).startsWith("guestcore: the list of processes: "), bt::toString);
            CommandLine.Ended ss = with(next, number(wrong), 3, "ss", raw.toString());
            assertEquals(sockets, ss.out().lines().sorted().toList());
            assertTrue(ss.lastLine(3).startsWith("guestcore: the list of processes: "), ss::toString);
        }
    }

    /** Nothing but the version hangs on the line that the kernel greets with. */
    @Test
    void withoutItsBannerTheKernelIsFound() throws Exception {
        String processes = CommandLine.run(folder, "ps", raw.toString()).expect(0).out();
        long banner = linux.symbols().find("linux_banner").orElseThrow().address();
        assertEquals(processes, with(banner, new byte[256], 0, "ps", raw.toString()).out());
        String made = with(banner, new byte[256], 0, "symbols", raw.toString(), "--to", "vmcoreinfo", "-o", "-").out();
        assertTrue(made.startsWith("OSRELEASE=" + linux.image().release().orElseThrow() + "\n"), made);
    }

    /** What a rootkit does: all lists are sound, and one of them leads past what it hides. */
    @Test
    void whatIsTakenOutOfAListIsShownAndMarked() throws Exception {
        List<String> processes = CommandLine.run(folder, "ps", raw.toString()).expect(0).out().lines().toList();
        Map<Long, byte[]> noSleeper = past(task("sleeper").object().get("tasks"));
        List<String> shown = with(noSleeper, 0, "ps", raw.toString()).out().lines().toList();
        List<String> marked = shown.stream().filter(line -> line.contains("(hidden: only in ")).toList();
        assertEquals(1, marked.size(), shown::toString);
        assertTrue(marked.getFirst().contains("sleeper --option"), marked::toString);
        assertEquals(processes.size(), shown.size());

        KernelObject module = linux.variable("modules")
                .list("struct module", "list")
                .items()
                .getFirst();
        String name = module.get("name").string();
        List<String> hidden = with(past(module.get("list")), 0, "lsmod", raw.toString()).out().lines()
                .filter(line -> line.contains("hidden: not in the kernel's list of modules"))
                .toList();
        assertEquals(1, hidden.size(), hidden::toString);
        assertTrue(hidden.getFirst().strip().startsWith(name + " "), hidden::toString);
    }

    @Test
    void aProcessWhoseMemoryCannotBeReadIsShown() throws Exception {
        long memory = task("sleeper").object().get("mm").address();
        CommandLine.Ended ps = with(memory, number(0xdead_0000_0000_0100L), 3, "ps", raw.toString());
        assertTrue(ps.out().lines().anyMatch(line -> line.endsWith("  [sleeper] (its command line is not in memory)")),
                ps::toString);
    }

    private static KernelObject client() {
        return linux.sockets().stream()
                .filter(socket -> socket.owners().stream().anyMatch(owner -> owner.descriptor() == 5))
                .findFirst()
                .orElseThrow()
                .object();
    }

    /** A connection that waits for late packets belongs to no process; a socket that no table has is hidden. */
    @Test
    void socketsAreLookedForInFilesAndInTables() throws Exception {
        KernelObject open = task("sockets").object().get("files.fdt.open_fds").dereference();
        Map<Long, byte[]> closed = new LinkedHashMap<>();
        closed.put(open.address(), number(open.asLong() & ~(1L << 5)));
        closed.put(client().get("__sk_common.skc_state").address(), new byte[] {6});
        String waiting = with(closed, 0, "ss", raw.toString()).out();
        assertTrue(
                waiting.matches(
                        "(?s).*\n  tcp +TIME-WAIT +127\\.0\\.0\\.1:[0-9]+ +127\\.0\\.0\\.1:8080 +\\(no process\\)\n.*"),
                waiting);
        Map<?, ?> document = JsonSchema.check(
                with(closed, 0, "ss", raw.toString(), "--json").out().getBytes(StandardCharsets.UTF_8));
        assertEquals(1, ((List<?>) document.get("sockets")).stream()
                .filter(socket -> ((Map<?, ?>) socket).get("seenIn").equals(List.of("table")))
                .count());

        KernelObject node = client().get("__sk_common.skc_nulls_node");
        Map<Long, byte[]> unlinked = Map.of(node.getLong("pprev"), number(node.getLong("next")));
        String hidden = with(unlinked, 0, "ss", raw.toString()).out();
        assertTrue(hidden.matches("(?s).*ESTAB +127[^\n]*, fd 5\\) \\(hidden: not in the kernel's table\\)\n.*"),
                hidden);
        String check = with(unlinked, 3, "check", raw.toString()).out();
        assertTrue(check.contains("hidden-socket: the tcp socket 127.0.0.1:"), check);

        CommandLine.Ended circle = with(node.address(), number(node.address()), 3, "ss", raw.toString());
        assertTrue(circle.lastLine(3).contains("the table of TCP: comes back to 0x"), circle::toString);
        long mask = linux.variable("tcp_hashinfo").get("ehash_mask").address();
        CommandLine.Ended size = with(mask, ones(4), 3, "ss", raw.toString());
        assertTrue(size.lastLine(3).contains("; expected a power of two"), size::toString);
        assertTrue(size.out().contains("/tmp/socket"), size::toString);
    }

    /** Only the first 128 KiB of a command line are read; the process filled four MiB with Z. */
    @Test
    void aVeryLongCommandLineIsSaidToBeCut() throws Exception {
        Task maps = task("maps\ttab\033[1m");
        MemoryArea area = AddressMaps.of(maps.object()).stream()
                .filter(each -> each.end() - each.start() >= 4 << 20 && each.rights().equals("rw-p"))
                .filter(each -> maps.memory().orElseThrow().readAvailable(each.start(),
                        MemorySegment.ofArray(new byte[200_000])) == 200_000)
                .findFirst()
                .orElseThrow();
        String pid = String.valueOf(maps.pid());
        KernelObject mm = maps.object().get("mm");
        Map<Long, byte[]> longer = new LinkedHashMap<>();
        for (String kind : List.of("arg", "env")) {
            longer.put(mm.get(kind + "_start").address(), number(area.start()));
            longer.put(mm.get(kind + "_end").address(), number(area.start() + 200_000));
        }
        String shown = with(longer, 0, "ps", raw.toString()).out();
        assertTrue(shown.contains("ZZZ … (longer than 128 KiB)\n"), shown);
        CommandLine.Ended environment = with(longer, 0, "env", raw.toString(), pid);
        assertEquals(128 << 10, environment.out().strip().length());
        assertTrue(environment.lastLine(0).contains(" is longer than 128 KiB, "), environment::err);
        Map<?, ?> document = JsonSchema.check(
                with(longer, 0, "env", raw.toString(), pid, "--json").out().getBytes(StandardCharsets.UTF_8));
        assertEquals(List.of(true, true), List.of(document.get("argumentsCut"), document.get("environmentCut")));
    }

    @Test
    void symbolsOfModulesThatAreLostAreDamage() throws Exception {
        long next = linux.variable("modules").get("next").address();
        CommandLine.Ended symbols = with(next, number(0), 3, "symbols", raw.toString(), "schedule*");
        assertTrue(symbols.out().contains(" T schedule\n"), symbols::toString);
        assertTrue(symbols.lastLine(3).startsWith("guestcore: symbols of modules: "), symbols::toString);
    }

    /** A module without a place in the list is hidden; whatever else /sys/module leads to is none. */
    @Test
    void aDamagedEntryInSysfsIsNoHiddenModule() throws Exception {
        List<String> modules = CommandLine.run(folder, "lsmod", raw.toString()).expect(0).out().lines().toList();
        KernelObject set = linux.variable("module_kset").dereference();
        KernelObject first = set.get("list").list("struct module_kobject", "kobj.entry").items().getFirst();
        CommandLine.Ended lsmod = with(
                first.get("mod").address(), number(linux.variable("init_task").address()), 3, "lsmod", raw.toString());
        assertEquals(modules, lsmod.out().lines().toList());
        assertTrue(lsmod.lastLine(3).contains(": it is none: "), lsmod::toString);
    }

    @Test
    void aDamagedLogIsShownAndSaid() throws Exception {
        KernelObject ring = linux.variable("prb").dereference();
        long whole = CommandLine.run(folder, "log", raw.toString()).expect(0).out().lines().count();
        CommandLine.Ended texts = with(
                ring.get("text_data_ring.data").asLong() + 4096, ones(4096), 3, "log", raw.toString());
        assertTrue(texts.out().lines().count() > whole, texts::toString);
        assertTrue(texts.out().contains("[the text, or the rest of it, is missing]"), texts::toString);
        assertTrue(texts.lastLine(3).contains(" the log is damaged, or was copied while the kernel wrote it: "),
                texts::toString);
        CommandLine.Ended facts = with(
                ring.get("desc_ring.infos").asLong(), ones(88 * 20), 3, "log", raw.toString());
        assertTrue(facts.out().lines().count() >= whole, facts::toString);
        CommandLine.Ended lost = with(ring.get("desc_ring.count_bits").address(), ones(4), 1, "log", raw.toString());
        assertTrue(lost.oneLine(1).startsWith("guestcore: the kernel's log was not found: "), lost::toString);
    }

    @Test
    void aDumpWithoutRegistersSaysWhereStacksAre() throws Exception {
        String line = CommandLine.run(folder, "bt", raw.toString()).oneLine(1);
        assertTrue(line.endsWith("guestcore bt " + raw + " --all' shows the stacks of all tasks"), line);
    }
}

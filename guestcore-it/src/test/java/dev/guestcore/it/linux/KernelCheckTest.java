package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.CheckFinding;
import dev.guestcore.linux.KernelCheck;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Signs of tampering and trouble: none in guests that are well, and exactly the one that was put into memory. */
@Tag("slow")
@Tag("foreign")
class KernelCheckTest {

    @TempDir
    static Path folder;

    private static Path raw = Path.of("");
    private static Linux linux;
    private static Guest guest;

    private final Map<Long, byte[]> changes = new LinkedHashMap<>();

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

    @ParameterizedTest
    @EnumSource
    void guestsThatAreWellHaveNone(KnownLinux known) throws Exception {
        String dump = known.kdump().toString();
        int code = known == KnownLinux.PANICKED ? 3 : 0;
        Map<?, ?> document = JsonSchema.check(
                CommandLine.run(folder, "check", dump, "--json").expect(code).out().getBytes(StandardCharsets.UTF_8));
        List<?> findings = (List<?>) document.get("findings");
        assertEquals(List.of(), document.get("problems"));
        assertEquals(11, ((List<?>) document.get("checks")).size());
        assertEquals(1, ((List<?>) document.get("notJudged")).size(), document::toString);
        if (known == KnownLinux.PANICKED) {
            assertEquals(1, findings.size(), findings::toString);
            assertEquals("trouble", ((Map<?, ?>) findings.getFirst()).get("id"));
        } else {
            assertEquals(List.of(), findings);
        }
    }

    private static long address(String symbol) {
        return linux.symbols().find(symbol).orElseThrow().address();
    }

    /** A function of a module, as a rootkit would have it. */
    private static long foreignCode() {
        return linux.symbols().stream()
                .filter(symbol -> symbol.module().equals(Optional.of("dummy")) && symbol.isCode())
                .findFirst()
                .map(Symbol::address)
                .orElseThrow();
    }

    private static Task task(String name) {
        return linux.tasks().stream().filter(task -> task.name().equals(name)).findFirst().orElseThrow();
    }

    private static byte[] number(long value) {
        return ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    }

    private static byte[] number(int value) {
        return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
    }

    private static byte[] jump(long from, long to) {
        return ByteBuffer.allocate(5).order(ByteOrder.LITTLE_ENDIAN).put((byte) 0xe9).putInt((int) (to - from - 5))
                .array();
    }

    /** What is found when memory holds the changes. */
    private KernelCheck check() throws Exception {
        Map<Long, ByteBuffer> before = new LinkedHashMap<>();
        try (FileChannel file = FileChannel.open(raw, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            for (Map.Entry<Long, byte[]> change : changes.entrySet()) {
                long place = linux.image().space().translate(change.getKey()).physical().orElseThrow().value();
                ByteBuffer old = ByteBuffer.allocate(change.getValue().length);
                file.read(old, place);
                before.put(place, old.flip());
                file.write(ByteBuffer.wrap(change.getValue()), place);
            }
            try (Guest changed = Guests.open(raw)) {
                return Linux.of(changed).check();
            } finally {
                for (Map.Entry<Long, ByteBuffer> old : before.entrySet()) {
                    file.write(old.getValue(), old.getKey());
                }
            }
        }
    }

    private CheckFinding only(String id) throws Exception {
        KernelCheck check = check();
        assertEquals(List.of(), check.problems());
        assertEquals(List.of(id), check.findings().stream().map(CheckFinding::id).toList(), check.findings()::toString);
        return check.findings().getFirst();
    }

    @Test
    void aChangedSystemCall() throws Exception {
        long table = address("sys_call_table");
        for (long to : new long[] {foreignCode(), address("__x64_sys_getpid"), address("__x64_sys_execve") + 1, 0}) {
            changes.put(table + 59 * 8, number(to));
            CheckFinding finding = only("syscall-entry");
            assertEquals(table + 59 * 8, finding.address().orElseThrow());
            assertEquals("__x64_sys_execve", finding.expected().orElseThrow());
        }
    }

    @Test
    void aChangedGate() throws Exception {
        for (int gate : new int[] {14, 0x80, 0xec}) {
            changes.clear();
            long place = address("idt_table") + gate * 16;
            long to = address("asm_exc_debug") + (gate == 14 ? 0 : 1);
            changes.put(place, new byte[] {(byte) to, (byte) (to >>> 8)});
            changes.put(place + 6, new byte[] {(byte) (to >>> 16), (byte) (to >>> 24)});
            assertEquals(place, only("idt-entry").address().orElseThrow());
        }
    }

    private static List<String> withRegisters(long table, long entry) throws Exception {
        try (Arena arena = Arena.ofShared();
                FileChannel file = FileChannel.open(raw);
                Guest changed = Guest.builder()
                        .ram(0, file.map(FileChannel.MapMode.READ_ONLY, 0, file.size(), arena))
                        .vcpu(RegisterState.builder().set(X86.IDTR_BASE, table).set(X86.LSTAR, entry).build())
                        .build()) {
            return Linux.of(changed).check().findings().stream().map(CheckFinding::id).toList();
        }
    }

    @Test
    void registersThatLeadElsewhere() throws Exception {
        long table = address("idt_table");
        long entry = address("entry_SYSCALL_64");
        assertEquals(List.of(), withRegisters(table, entry));
        assertEquals(List.of("idt-register"), withRegisters(table + 4096, entry));
        assertEquals(List.of("syscall-register"), withRegisters(table, foreignCode()));
        assertEquals(List.of("syscall-register"), withRegisters(table, entry + 1));
    }

    @Test
    void aChangedTableOfFunctions() throws Exception {
        KernelObject show = linux.object("struct seq_operations", address("tcp4_seq_ops")).get("show");
        changes.put(show.address(), number(foreignCode()));
        CheckFinding finding = only("function-pointer");
        assertEquals(show.address(), finding.address().orElseThrow());
        assertTrue(finding.message().contains("'show' of tcp4_seq_ops"), finding::toString);
        assertTrue(finding.found().orElseThrow().contains("[dummy]"), finding::toString);
    }

    /** A place where ftrace may call, and code that it never touches. */
    @Test
    void aFunctionThatJumpsAway() throws Exception {
        for (String name : List.of("vfs_read", "entry_SYSCALL_64")) {
            changes.clear();
            long start = address(name);
            changes.put(start, jump(start, foreignCode()));
            assertEquals(start, only("kernel-text").address().orElseThrow());
        }
        changes.clear();
        changes.put(address("entry_SYSCALL_64"),
                new byte[] {0x48, (byte) 0xb8, 1, 2, 3, 4, 5, 6, 7, 8, (byte) 0xff, (byte) 0xe0});
        assertTrue(only("kernel-text").found().orElseThrow().endsWith("to 0x807060504030201 (no symbol)"));
    }

    private void takeOut(KernelObject entry) {
        long next = entry.get("next").asLong();
        long previous = entry.get("prev").asLong();
        changes.put(previous, number(next));
        changes.put(next + Long.BYTES, number(previous));
    }

    @Test
    void whatIsHidden() throws Exception {
        takeOut(task("sleeper").object().get("tasks"));
        assertEquals(task("sleeper").object().address(), only("hidden-task").address().orElseThrow());
        changes.clear();
        KernelObject module = linux.variable("modules").list("struct module", "list").items().getFirst();
        takeOut(module.get("list"));
        assertEquals(module.address(), only("hidden-module").address().orElseThrow());
    }

    @Test
    void aTaskThatHangs() throws Exception {
        changes.put(address("sysctl_hung_task_timeout_secs"), number(1L));
        changes.put(task("sleeper").object().get("__state").address(), number(2));
        CheckFinding finding = only("hung-task");
        assertTrue(finding.message().contains("task " + task("sleeper").pid() + " (sleeper) has waited for "),
                finding::toString);
        assertTrue(finding.message().contains(" s without being woken by signals, in do_nanosleep < "),
                finding::toString);
    }

    /** Makes a task wait for a lock: an entry of the lock's queue stands on its stack. */
    private void await(KernelObject waiter, long lock, KernelObject owner, String type, String entry) {
        long node = waiter.getLong("thread.sp") + 0x200 & -8;
        long queue = linux.type(type).member("wait_list").orElseThrow().offset() + lock;
        changes.put(node, number(queue));
        changes.put(node + 8, number(queue));
        changes.put(node + linux.type(entry).member("task").orElseThrow().offset(), number(waiter.address()));
        changes.put(queue, number(node));
        changes.put(queue + 8, number(node));
        boolean mutex = type.equals("struct mutex");
        changes.put(lock + linux.type(type).member("owner").orElseThrow().offset(),
                number(owner.address() | (mutex ? 1 : 0)));
        if (!mutex) {
            changes.put(lock, number(2L | 1));
        }
    }

    @Test
    void tasksThatWaitForEachOther() throws Exception {
        KernelObject one = task("sleeper").object();
        KernelObject other = task("user").object();
        // Below the stack pointer nothing is in use.
        long first = one.getLong("stack") + 0x400;
        long second = first + 0x100;
        await(one, first, other, "struct mutex", "struct mutex_waiter");
        KernelCheck half = check();
        assertEquals(List.of(), half.findings());
        await(other, second, one, "struct rw_semaphore", "struct rwsem_waiter");
        CheckFinding finding = only("lock-cycle");
        assertTrue(finding.message().contains(" for the mutex at 0x" + Long.toHexString(first) + " that task "),
                finding::toString);
        assertTrue(finding.message().contains(" for the semaphore at 0x" + Long.toHexString(second) + " that task "),
                finding::toString);
    }

    @Test
    void aCpuThatIsLockedUp() throws Exception {
        KernelObject queue = linux.object("struct rq", address("runqueues"));
        long now = Math.max(queue.perCpu(0).getLong("clock"), queue.perCpu(1).getLong("clock")) >>> 30;
        changes.put(address("watchdog_thresh"), number((int) (now - 2) / 2));
        changes.put(linux.variable("watchdog_touch_ts").perCpu(1).address(), number(1L));
        assertTrue(only("soft-lockup").message().startsWith("CPU 1 did not schedule for " + (now - 1) + " s; "));
    }

    @Test
    void taint() throws Exception {
        changes.put(address("tainted_mask"), number(1L << 7 | 1 << 13));
        KernelCheck check = check();
        assertEquals(
                List.of("the kernel is tainted, D: the kernel has oopsed or hit a BUG",
                        "the kernel is tainted, E: a module without a valid signature was loaded"),
                check.findings().stream().map(CheckFinding::message).toList());
        assertEquals(
                List.of(CheckFinding.Category.TROUBLE, CheckFinding.Category.NOTE),
                check.findings().stream().map(CheckFinding::category).toList());
    }

    /** What is damaged is said, and hides nothing else. */
    @Test
    void listsThatDoNotEnd() throws Exception {
        KernelObject page = linux.object(
                "struct ftrace_page", linux.memory().readLong(address("ftrace_pages_start")));
        changes.put(page.get("next").address(), number(page.address()));
        changes.put(address("entry_SYSCALL_64"), jump(address("entry_SYSCALL_64"), foreignCode()));
        changes.put(address("syscalls_metadata"), number(0x4141_4141_4141_4141L));
        KernelCheck check = check();
        assertEquals(List.of("kernel-text"), check.findings().stream().map(CheckFinding::id).toList());
        assertEquals(2, check.problems().size(), check.problems()::toString);
        assertTrue(check.problems().getFirst().startsWith("system calls: "), check.problems()::toString);
        assertTrue(check.problems().getLast().startsWith("places of ftrace: "), check.problems()::toString);
    }
}

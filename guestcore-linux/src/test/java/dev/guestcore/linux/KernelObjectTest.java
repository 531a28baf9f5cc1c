package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KernelObjectTest {

    private static final long TASK = BASE + 0x1000;
    private static final long MM = BASE + 0x3000;
    private static final long CODE = BASE + 0x8000;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int unsignedLong = btf.integer("long unsigned int", 8, 0);
        int character = btf.integer("char", 1, 1);
        int integer = btf.integer("int", 4, 1);
        int unsigned = btf.integer("unsigned int", 4, 0);
        int bool = btf.integer("_Bool", 1, 4);
        int shortInteger = btf.integer("short int", 2, 1);
        int state = btf.enumeration("state", false, 0, "RUNNING", "ASLEEP");
        int list = btf.struct("list_head", 16);
        int function = btf.pointer(btf.prototype(integer, "x", integer));
        int comm = btf.array(character, integer, 16);
        int name = btf.pointer(btf.qualified(10, character));
        int numbers = btf.array(integer, integer, 4);
        int open = btf.array(shortInteger, integer, 0);
        int owner = btf.pointer(btf.next() + 3);
        int mm = btf.struct("mm_struct", 16, Member.at(0, "owner", owner), Member.at(8, "count", unsignedLong));
        int mmPointer = btf.pointer(mm);
        int task = btf.structWithBits("task_struct", 128,
                new Member("comm", comm, 0, 0),
                new Member("mm", mmPointer, 16 * 8, 0),
                new Member("pid", integer, 24 * 8, 0),
                new Member("flags", unsigned, 28 * 8, 0),
                new Member("low", unsigned, 32 * 8 + 3, 7),
                new Member("minus", integer, 32 * 8 + 10, 3),
                new Member("state", state, 36 * 8, 0),
                new Member("on", bool, 40 * 8, 0),
                new Member("tasks", list, 48 * 8, 0),
                new Member("call", function, 64 * 8, 0),
                new Member("name", name, 72 * 8, 0),
                new Member("numbers", numbers, 80 * 8, 0),
                new Member("small", shortInteger, 100 * 8, 0),
                new Member("open", open, 104 * 8, 0));
        btf.variable("current_task", btf.pointer(task));
        return btf;
    }

    private static MadeUpLinux guest() {
        return new MadeUpLinux()
                .symbol("init_task", 'D', TASK)
                .symbol("worker", 't', CODE)
                .symbol("strange", 'D', MM)
                .symbol("current_task", 'D', 0x40)
                .symbol("__per_cpu_offset", 'D', BASE + 0x5000)
                .put64(BASE + 0x5000, BASE + 0x6000)
                .put64(BASE + 0x5008, BASE + 0x7000)
                .put64(BASE + 0x7040, TASK)
                .text(TASK, "swapper/0")
                .put64(TASK + 16, MM)
                .put32(TASK + 24, -7)
                .put32(TASK + 28, -7)
                .put32(TASK + 32, 0x55 << 3 | 0b101 << 10)
                .put32(TASK + 36, 1)
                .put8(TASK + 40, 1)
                .put64(TASK + 64, CODE + 3)
                .put64(TASK + 72, BASE + 0x4000)
                .text(BASE + 0x4000, "a \"name\"\n")
                .put32(TASK + 92, 99)
                .put16(TASK + 100, -2)
                .put16(TASK + 106, 77)
                .put64(MM, TASK)
                .put64(MM + 8, -1);
    }

    @Test
    void readsLikeDrgn() {
        Linux linux = guest().with(types());
        KernelObject task = linux.variable("init_task");
        assertEquals(TASK, task.address());
        assertEquals("struct task_struct", task.type().toString());
        assertEquals("swapper/0", task.get("comm").string());
        assertEquals("swapper/0", task.get("mm").get("owner").get("comm").string());
        assertEquals("swapper/0", task.get("mm.owner.comm").string());
        assertEquals(-7, task.getLong("pid"));
        assertEquals(0xfffffff9L, task.getLong("flags"));
        assertEquals(-7, task.getInt("flags"));
        assertEquals(0x55, task.getLong("low"));
        assertEquals(-3, task.getLong("minus"));
        assertEquals(Optional.of("ASLEEP"), task.get("state").constant());
        assertTrue(task.get("on").asBoolean());
        assertEquals(99, task.getLong("numbers[3]"));
        assertEquals(99, task.get("mm.owner.numbers[3]").asLong());
        assertEquals(99, task.get("numbers").index(3).asInt());
        assertEquals(-2, task.getLong("small"));
        assertEquals(77, task.get("open").index(1).asLong());
        assertEquals("a \"name\"\n", task.get("name").string());
        assertEquals("worker+0x3", task.get("call").symbol().orElseThrow().toString());
        assertEquals(-1, task.get("mm").getLong("count"));
        assertEquals(task, task.get("mm").get("owner").dereference());
        assertEquals(task, task.get("tasks").containerOf("struct task_struct", "tasks"));
        assertEquals(task, task.get("mm.owner").containerOf("struct task_struct", "comm"));
        assertEquals(List.of(0L, 0L, 0L, 99L),
                task.get("numbers").elements().stream().map(KernelObject::asLong).toList());
        assertEquals(task, linux.object("struct task_struct", TASK));
        assertEquals(TASK, task.get("mm").dereferenceAs("unsigned long").asLong());
        assertArrayEquals(new byte[] {'s', 'w'}, task.bytes(2));
    }

    @Test
    void saysWhatIsThere() {
        Linux linux = guest().put64(MM, 0).with(types());
        KernelObject task = linux.variable("init_task");
        assertTrue(task.has("comm"));
        assertTrue(task.has("mm.owner.mm.count"));
        assertTrue(task.has("numbers[2]"));
        assertFalse(task.has("__state"));
        assertFalse(task.has("mm.nothing"));
        assertFalse(task.has("comm.nothing"));
        assertEquals(1, task.getAny("__state", "state").orElseThrow().asLong());
        assertTrue(task.getAny("a", "b").isEmpty());
        assertTrue(task.get("mm.owner").isNull());
        assertTrue(task.get("mm.owner").target().isEmpty());
        assertTrue(linux.hasVariable("init_task"));
        assertFalse(linux.hasVariable("strange"));
        assertFalse(linux.hasVariable("none"));
    }

    @Test
    void variablesOfEachProcessor() {
        Linux linux = guest().with(types());
        KernelObject current = linux.variable("current_task");
        assertEquals("swapper/0", current.perCpu(1).get("comm").string());
        assertTrue(current.perCpu(0).isNull());
        KernelObject pointer = linux.object("struct task_struct *", BASE + 0x6000);
        assertThrows(LinuxException.class, () -> pointer.dereferencePerCpu(0));
        assertEquals(TASK + 8, linux.object("struct mm_struct", MM).get("owner").dereferencePerCpu(2).address() + 8);
        assertThrows(LinuxException.class, () -> current.perCpu(-1));
        assertThrows(LinuxException.class, () -> current.perCpu(1 << 20));
    }

    @Test
    void errorsSayWhatAndWhere() {
        Linux linux = guest().put64(MM, 0).put64(TASK + 72, 0xdead0000_00000000L).with(types());
        KernelObject task = linux.variable("init_task");
        assertEquals("struct task_struct has no member '__state' in this kernel; ask has() first where kernels differ",
                assertThrows(LinuxException.class, () -> task.get("__state")).getMessage());
        assertEquals("the pointer of type struct task_struct * at 0x103000 is null",
                assertThrows(LinuxException.class, () -> task.get("mm.owner.comm")).getMessage());
        assertThrows(LinuxException.class, () -> task.get("comm").asLong());
        assertThrows(LinuxException.class, task::asLong);
        assertThrows(LinuxException.class, () -> task.get("pid").string());
        assertThrows(LinuxException.class, () -> task.get("pid").dereference());
        assertThrows(LinuxException.class, () -> task.get("pid").index(0));
        assertThrows(LinuxException.class, () -> task.get("numbers").index(4));
        assertThrows(LinuxException.class, () -> task.get("numbers").index(-1));
        assertThrows(LinuxException.class, () -> task.get("mm.count").index(0));
        assertThrows(MemoryAccessException.class, () -> task.get("name").string());
        assertThrows(LinuxException.class, () -> linux.object("struct none", 0));
        assertThrows(LinuxException.class, () -> linux.variable("none"));
        assertTrue(assertThrows(LinuxException.class, () -> linux.variable("strange")).getMessage()
                .startsWith("nothing tells the type of 'strange'"));
        assertThrows(RuntimeException.class, () -> task.get("numbers[x]"));
        assertThrows(RuntimeException.class, () -> task.get(""));
    }

    @Test
    void printsAsC() {
        Linux linux = guest().with(types());
        KernelObject task = linux.variable("init_task");
        assertEquals("(int)-7", task.get("pid").toString());
        assertEquals("(enum state)ASLEEP", task.get("state").toString());
        String text = task.toString();
        assertTrue(text.startsWith("*(struct task_struct *)0x101000 = {\n\t.comm = \"swapper/0\",\n"), text);
        assertTrue(text.contains("\t.on = true,\n"), text);
        assertTrue(text.contains("\t.numbers = { 0, 0, 0, 99, },\n"), text);
        assertTrue(text.contains("\t.call = 0x108003 (worker+0x3),\n"), text);
        assertEquals("*(char (*)[16])0x101000 = \"swapper/0\"", task.get("comm").toString());
        String outside = linux.object("struct task_struct", 0x7fff_0000L).toString();
        assertTrue(outside.contains(".pid = <cannot read guest-physical address 0x7fff0018"), outside);
    }
}

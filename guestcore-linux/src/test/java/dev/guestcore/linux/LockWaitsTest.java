package dev.guestcore.linux;

import static dev.guestcore.linux.MadeUpLinux.BASE;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.linux.LockWaits.Wait;
import dev.guestcore.linux.types.BtfBuilder;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Tasks that wait for locks, in memory that a test wrote: whole, and damaged. */
class LockWaitsTest {

    private static final long TASK = BASE + 0x1000;
    private static final long OWNER = BASE + 0x2000;
    private static final long STACK = BASE + 0x8000;
    private static final long POINTER = STACK + 0x3000;
    private static final long ENTRY = POINTER + 0x100;
    private static final long LOCK = BASE + 0x4000;
    private static final long NOWHERE = 0x4141_4141_4141_0000L;

    private static BtfBuilder types() {
        BtfBuilder btf = BtfBuilder.kernel();
        int number = btf.integer("long int", 8, 1);
        int integer = btf.integer("unsigned int", 4, 0);
        int any = btf.pointer(0);
        int list = btf.struct("list_head", 16, Member.at(0, "next", any), Member.at(8, "prev", any));
        int counter = btf.typedef("atomic_long_t", btf.struct("atomic64", 8, Member.at(0, "counter", number)));
        btf.struct("mutex", 32, Member.at(0, "owner", counter), Member.at(16, "wait_list", list));
        btf.struct("mutex_waiter", 24, Member.at(0, "list", list), Member.at(16, "task", any));
        int thread = btf.struct("thread_struct", 8, Member.at(0, "sp", number));
        btf.struct("task_struct", 32, Member.at(0, "__state", integer), Member.at(8, "stack", any),
                Member.at(16, "thread", thread));
        return btf;
    }

    private static MadeUpLinux guest() {
        return new MadeUpLinux()
                .put32(TASK, 2)
                .put64(TASK + 8, STACK)
                .put64(TASK + 16, POINTER)
                .put32(OWNER, 0)
                .put64(ENTRY + 16, TASK)
                .ring(LOCK + 16, ENTRY)
                .put64(LOCK, OWNER | 1);
    }

    private static Map<Long, Wait> waits(MadeUpLinux guest) {
        Linux linux = guest.with(types());
        return LockWaits.of(linux, List.of(
                linux.object("struct task_struct", TASK), linux.object("struct task_struct", OWNER)));
    }

    @Test
    void theQueueOfALockLeadsToItsOwner() {
        assertEquals(Map.of(TASK, new Wait(TASK, LOCK, "mutex", OWNER)), waits(guest()));
    }

    @Test
    void whatIsNoQueueOrHasNoOwnerIsNoWait() {
        for (MadeUpLinux none : List.of(
                // It runs; no task owns it; nobody waits; a list that leads nowhere, or back to another place, or never ends.
                guest().put32(TASK, 0),
                guest().put64(LOCK, TASK + 0x100 | 1),
                guest().put64(LOCK, OWNER),
                guest().put64(ENTRY, NOWHERE),
                guest().put64(LOCK + 24, NOWHERE),
                guest().put64(LOCK + 16, LOCK + 16).put64(LOCK + 24, LOCK + 16),
                guest().put64(TASK + 16, STACK - 8),
                guest().put64(TASK + 8, NOWHERE))) {
            assertEquals(Map.of(), waits(none));
        }
    }

    private static List<List<Long>> cycles(long... edges) {
        Map<Long, Wait> waits = new LinkedHashMap<>();
        for (int i = 0; i < edges.length; i += 2) {
            waits.put(edges[i], new Wait(edges[i], 0, "mutex", edges[i + 1]));
        }
        return LockWaits.cycles(waits).stream()
                .map(cycle -> cycle.stream().map(Wait::task).toList())
                .toList();
    }

    @Test
    void eachCircleIsToldOnce() {
        assertEquals(List.of(), cycles(1, 2, 2, 3));
        assertEquals(List.of(List.of(1L, 2L)), cycles(2, 1, 1, 2, 3, 1));
        assertEquals(List.of(List.of(4L)), cycles(4, 4, 5, 4));
        assertEquals(List.of(List.of(1L, 3L, 2L), List.of(7L, 8L)), cycles(3, 2, 1, 3, 2, 1, 8, 7, 7, 8));
    }
}

package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Which task waits for which lock, and who holds it. A task that waits for a mutex or a semaphore has an entry of the lock's queue
 * on its stack, which names the task; the queue leads to the lock, which names its owner. Of a lock with priority inheritance the
 * task itself tells. Sources: {@code include/linux/mutex.h}, {@code kernel/locking/mutex.h} and {@code .c}, {@code rwsem.h} and
 * {@code .c}, {@code rtmutex_common.h} of Linux. Semaphores that are held for reading name no owner.
 */
final class LockWaits {

    /** THREAD_SIZE of x86-64; what is above belongs to something else. */
    private static final int STACK = 16 << 10;

    private static final int MOST_WAITERS = 1 << 12;

    /** Flags in the pointer to the owner. */
    private static final long FLAGS = 7;

    private static final long HAS_WAITERS = 1;
    private static final long READERS = 1;
    private static final long SEMAPHORE_HAS_WAITERS = 2;

    /**
     * A task that waits.
     *
     * @param task address of its {@code struct task_struct}
     * @param lock address of the lock
     * @param kind what kind of lock it is, for the user
     * @param owner address of the owner's {@code struct task_struct}
     */
    record Wait(long task, long lock, String kind, long owner) {}

    private final Linux linux;
    private final Set<Long> tasks = new HashSet<>();
    private final Map<Long, Wait> waits = new LinkedHashMap<>();

    private LockWaits(Linux linux, Collection<KernelObject> tasks) {
        this.linux = linux;
        tasks.forEach(task -> this.tasks.add(task.address()));
    }

    /** Who waits for whom, by the address of the task that waits. What cannot be read is left out. */
    static Map<Long, Wait> of(Linux linux, Collection<KernelObject> tasks) {
        LockWaits all = new LockWaits(linux, tasks);
        for (KernelObject task : tasks) {
            try {
                boolean runs = task.getAny("__state", "state").map(state -> state.asLong() == 0).orElse(true);
                if (!runs) {
                    all.look(task);
                }
            } catch (GuestcoreException e) {
                continue;
            }
        }
        return all.waits;
    }

    private void look(KernelObject task) {
        inherited(task).ifPresent(wait -> waits.put(task.address(), wait));
        if (waits.containsKey(task.address()) || task.getLong("stack") == 0) {
            return;
        }
        boolean mutexes = queues("struct mutex", "struct mutex_waiter");
        boolean semaphores = queues("struct rw_semaphore", "struct rwsem_waiter");
        long from = task.getLong("thread.sp");
        long end = task.getLong("stack") + STACK;
        if (end - from <= 0 || end - from > STACK || !mutexes && !semaphores) {
            return;
        }
        ByteBuffer words = ByteBuffer.allocate((int) (end - from)).order(linux.memory().byteOrder());
        long read = linux.memory().readAvailable(from, MemorySegment.ofBuffer(words));
        for (int at = 0; at + Long.BYTES <= read && !waits.containsKey(task.address()); at += Long.BYTES) {
            if (words.getLong(at) == task.address()) {
                long place = from + at;
                (mutexes ? mutex(task, place - offset("struct mutex_waiter", "task")) : Optional.<Wait>empty())
                        .or(() -> semaphores
                                ? semaphore(task, place - offset("struct rwsem_waiter", "task"))
                                : Optional.empty())
                        .ifPresent(wait -> waits.put(task.address(), wait));
            }
        }
    }

    private boolean queues(String lock, String waiter) {
        boolean known = linux.requireTypes().find(lock).isPresent() && linux.requireTypes().find(waiter).isPresent();
        return known
                && linux.type(lock).member("wait_list").isPresent()
                && linux.type(lock).member("owner.counter").isPresent()
                && linux.type(waiter).member("list").isPresent();
    }

    private long offset(String type, String member) {
        return KernelObject.memberOf(linux.type(type), member).offset();
    }

    /** The nodes of the queue that an entry may be in, without the entry itself; empty if it is in none. */
    private List<Long> others(long entry) {
        List<Long> nodes = new ArrayList<>();
        long before = entry;
        try {
            for (long node = linux.pointerAt(entry); node != entry; node = linux.pointerAt(node)) {
                if (nodes.size() == MOST_WAITERS || linux.pointerAt(node + linux.pointerSize()) != before) {
                    return List.of();
                }
                nodes.add(node);
                before = node;
            }
        } catch (GuestcoreException e) {
            return List.of();
        }
        return nodes;
    }

    private Optional<Wait> mutex(KernelObject task, long entry) {
        for (long node : others(entry + offset("struct mutex_waiter", "list"))) {
            long lock = node - offset("struct mutex", "wait_list");
            long owner = word(lock + offset("struct mutex", "owner.counter"));
            if ((owner & HAS_WAITERS) != 0 && tasks.contains(owner & ~FLAGS)) {
                return Optional.of(new Wait(task.address(), lock, "mutex", owner & ~FLAGS));
            }
        }
        return Optional.empty();
    }

    private Optional<Wait> semaphore(KernelObject task, long entry) {
        for (long node : others(entry + offset("struct rwsem_waiter", "list"))) {
            long lock = node - offset("struct rw_semaphore", "wait_list");
            long owner = word(lock + offset("struct rw_semaphore", "owner.counter"));
            long count = word(lock + offset("struct rw_semaphore", "count.counter"));
            if ((count & SEMAPHORE_HAS_WAITERS) != 0 && (owner & READERS) == 0 && tasks.contains(owner & ~FLAGS)) {
                return Optional.of(new Wait(task.address(), lock, "semaphore", owner & ~FLAGS));
            }
        }
        return Optional.empty();
    }

    private long word(long address) {
        try {
            return linux.pointerAt(address);
        } catch (GuestcoreException e) {
            return 0;
        }
    }

    /** Locks of programs with priority inheritance, and all locks of a real-time kernel. */
    private Optional<Wait> inherited(KernelObject task) {
        if (!task.has("pi_blocked_on.lock.owner")) {
            return Optional.empty();
        }
        return task.get("pi_blocked_on").target().flatMap(waiter -> {
            long owner = waiter.getLong("lock.owner") & ~FLAGS;
            return tasks.contains(owner)
                    ? Optional.of(
                            new Wait(task.address(), waiter.getLong("lock"), "lock with priority inheritance", owner))
                    : Optional.empty();
        });
    }

    /** Tasks that wait for each other, each circle once, beginning at its lowest address. */
    static List<List<Wait>> cycles(Map<Long, Wait> waits) {
        List<List<Wait>> cycles = new ArrayList<>();
        for (Wait start : waits.values()) {
            List<Wait> path = new ArrayList<>();
            Set<Long> met = new HashSet<>();
            Wait at = start;
            while (at != null && met.add(at.task)) {
                path.add(at);
                at = waits.get(at.owner);
            }
            boolean lowest = path.stream().allMatch(wait -> Long.compareUnsigned(start.task, wait.task) <= 0);
            if (at != null && at.task == start.task && lowest) {
                cycles.add(path);
            }
        }
        return cycles;
    }
}

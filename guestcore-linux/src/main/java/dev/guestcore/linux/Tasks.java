package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.Task.Place;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * What runs in the guest: processes, their threads, kernel threads, and the idle task of each CPU. They are looked for in the
 * list of all processes, in the table of process ids, and on the CPUs and in their queues, so that one that is missing in one place is found in
 * another, and told. Immutable.
 *
 * <p>Facts, and the structures of Linux that have them: include/linux/sched.h (struct task_struct; {@code state} was renamed to
 * {@code __state} in 5.14, {@code real_start_time} to {@code start_boottime} in 5.5, {@code cpu} moved to {@code thread_info} in 5.16);
 * sched/signal.h (threads of a process hang in {@code thread_head}); fs/proc/array.c (letters of states);
 * include/linux/mm_types.h ({@code rss_stat}: numbers, since 6.2 per-CPU counters; before that a task keeps some to itself).
 */
public final class Tasks {

    private static final String TASK = "struct task_struct";
    private static final String LETTERS = "RSDTtXZPI";
    private static final int REPORTED = 0x7f;
    private static final int IDLE = 0x402;
    private static final int IDLE_LETTER = 8;

    /** TASK_RTLOCK_WAIT and TASK_FROZEN, which ps shows as D. */
    private static final int AS_UNINTERRUPTIBLE = 0x1000 | 0x8000;

    private static final int UNINTERRUPTIBLE_LETTER = 2;
    private static final long KERNEL_THREAD = 0x0020_0000;
    private static final long PAGE = 4096;

    /** MM_FILEPAGES, MM_ANONPAGES, MM_SHMEMPAGES; what lies between counts swapped pages. */
    private static final int[] RESIDENT = {0, 1, 3};

    /** More threads than a kernel can have. */
    private static final int MOST_THREADS = 4 << 20;

    private final List<Task> tasks;
    private final List<String> problems;

    private Tasks(List<Task> tasks, List<String> problems) {
        this.tasks = List.copyOf(tasks);
        this.problems = List.copyOf(problems);
    }

    /**
     * The tasks of a kernel.
     *
     * @throws LinuxException if it has no description of its types
     */
    static Tasks of(Linux linux) {
        return new Search(linux).search();
    }

    /** The structures of all tasks but idle ones that are found anywhere, also those that cannot be read whole. */
    static Walk<KernelObject> structures(Linux linux) {
        return new Search(linux).structures();
    }

    /** All of them: idle tasks first, then by the id of the process and of the thread. */
    public Stream<Task> stream() {
        return tasks.stream();
    }

    /** Those that are processes: the first thread of each, without idle tasks. */
    public Stream<Task> processes() {
        return stream().filter(task -> task.isLeader() && !task.isIdle());
    }

    /** The task with this id. */
    public Optional<Task> find(int pid) {
        return stream().filter(task -> task.pid() == pid && !task.isIdle()).findFirst();
    }

    /** What could not be read, for the user: one line each. */
    public List<String> problems() {
        return problems;
    }

    private static final class Search {

        private final Linux linux;
        private final Map<Long, KernelObject> found = new LinkedHashMap<>();
        private final Map<Long, Set<Place>> places = new LinkedHashMap<>();
        private final Map<Long, Long> residents = new HashMap<>();
        private final List<String> problems = new ArrayList<>();
        private final Cpus cpus;

        Search(Linux linux) {
            this.linux = linux;
            this.cpus = Cpus.of(linux);
        }

        private void find() {
            attempt("the list of processes", this::walkList);
            attempt("the table of process ids", this::walkTable);
            for (int cpu : cpus.possible()) {
                attempt("CPU " + cpu, () -> lookAt(cpu));
            }
        }

        Walk<KernelObject> structures() {
            find();
            List<KernelObject> tasks = new ArrayList<>();
            found.forEach((address, task) -> attempt("the task at 0x" + Long.toHexString(address), () -> {
                if (id(task, "tgid") != 0 && id(task, "pid") != 0) {
                    tasks.add(task);
                }
            }));
            return new Walk<>(tasks, problems.isEmpty(), problems);
        }

        Tasks search() {
            find();
            List<Task> tasks = new ArrayList<>();
            found.forEach((address, task) -> attempt(
                    "the task at 0x" + Long.toHexString(address),
                    () -> tasks.add(read(task, places.getOrDefault(address, Set.of())))));
            tasks.sort(Comparator.comparing(Task::isIdle)
                    .reversed()
                    .thenComparingInt(task -> task.isIdle() ? task.cpu() : task.tgid())
                    .thenComparing(task -> !task.isLeader())
                    .thenComparingInt(Task::pid));
            return new Tasks(tasks, problems);
        }

        private void attempt(String what, Runnable work) {
            try {
                work.run();
            } catch (GuestcoreException e) {
                tell(what, String.valueOf(e.getMessage()));
            }
        }

        private void tell(String what, String problem) {
            if (problems.size() < Walk.MOST_PROBLEMS) {
                problems.add(what + ": " + problem);
            }
        }

        private void tell(String what, Collection<String> walk) {
            walk.forEach(problem -> tell(what, problem));
        }

        private void add(KernelObject task, Place place) {
            found.putIfAbsent(task.address(), task);
            places.computeIfAbsent(task.address(), address -> EnumSet.noneOf(Place.class)).add(place);
        }

        private void walkList() {
            KernelObject first = linux.variable("init_task");
            add(first, Place.LIST);
            Walk<KernelObject> leaders = first.get("tasks").list(TASK, "tasks");
            tell("the list of processes", leaders.problems());
            for (KernelObject leader : leaders) {
                add(leader, Place.LIST);
                attempt("the threads of the task at 0x" + Long.toHexString(leader.address()),
                        () -> walkThreads(leader));
            }
        }

        private void walkThreads(KernelObject leader) {
            Walk<KernelObject> threads = leader.get("signal.thread_head").list(TASK, "thread_node");
            tell("the threads of the task at 0x" + Long.toHexString(leader.address()), threads.problems());
            for (KernelObject thread : threads) {
                if (found.size() >= MOST_THREADS) {
                    throw new LinuxException("there are more threads than a kernel can have");
                }
                add(thread, Place.LIST);
            }
        }

        /** Each entry is a struct pid, in which the task hangs that has this id. */
        private void walkTable() {
            KernelObject table = linux.variable("init_pid_ns");
            if (!table.has("idr")) {
                tell("the table of process ids", "it is of a kind that is not known; tasks are those of the list");
                places.values().forEach(seen -> seen.add(Place.PID_TABLE));
                return;
            }
            Walk<IndexEntry> entries = table.get("idr").xarray();
            tell("the table of process ids", entries.problems());
            for (IndexEntry entry : entries) {
                attempt("process id " + entry.first(), () -> {
                    long first = linux.object("struct pid", entry.entry()).getLong("tasks[0].first");
                    if (first != 0) {
                        long offset = KernelObject.memberOf(linux.type(TASK), "pid_links[0]").offset();
                        add(linux.object(TASK, first - offset), Place.PID_TABLE);
                    }
                });
            }
        }

        private void lookAt(int cpu) {
            KernelObject queue = cpus.runQueue(cpu);
            queue.get("idle").target().ifPresent(task -> add(task, Place.CPU));
            queue.get("curr").target().ifPresent(task -> add(task, Place.CPU));
            if (queue.has("cfs_tasks")) {
                Walk<KernelObject> waiting = queue.get("cfs_tasks").list(TASK, "se.group_node");
                tell("the run queue of CPU " + cpu, waiting.problems());
                waiting.forEach(task -> add(task, Place.CPU));
            }
        }

        /** What lies where a damaged pointer leads hardly has numbers that a task can have. */
        private static int id(KernelObject task, String member) {
            int id = task.getInt(member);
            if (id < 0 || id > MOST_THREADS) {
                throw new LinuxException("it is none: its " + member + " would be " + id);
            }
            return id;
        }

        private Task read(KernelObject task, Set<Place> seenIn) {
            Optional<KernelObject> mm = task.get("mm").target();
            String name = task.get("comm").string();
            boolean kernelThread = (task.getLong("flags") & KERNEL_THREAD) != 0;
            return new Task(
                    task,
                    id(task, "pid"),
                    id(task, "tgid"),
                    task.get("real_parent").target().map(parent -> parent.getInt("tgid")).orElse(0),
                    known(task, () -> owner(task, "uid"), OptionalInt.empty()),
                    known(task, () -> owner(task, "gid"), OptionalInt.empty()),
                    kernelThread ? known(task, () -> fullName(task), name) : name,
                    state(task),
                    task.getAny("thread_info.cpu", "cpu").map(KernelObject::asInt).orElse(0),
                    task.has("on_cpu") && task.get("on_cpu").asBoolean(),
                    task.getAny("start_boottime", "real_start_time")
                            .map(time -> OptionalLong.of(time.asLong()))
                            .orElse(OptionalLong.empty()),
                    kernelThread
                            || mm.isEmpty() && !task.getAny("exit_state").map(KernelObject::asBoolean).orElse(false),
                    mm.map(memory -> known(
                            task,
                            () -> OptionalLong.of(residents.computeIfAbsent(
                                    memory.address(), address -> resident(memory, task))),
                            OptionalLong.empty()))
                            .orElse(OptionalLong.empty()),
                    seenIn);
        }

        /** What lies in a structure of its own, or what to do without if that cannot be read: the task is there all the same. */
        private <T> T known(KernelObject task, Supplier<T> part, T without) {
            try {
                return part.get();
            } catch (GuestcoreException e) {
                tell("the task at 0x" + Long.toHexString(task.address()), String.valueOf(e.getMessage()));
                return without;
            }
        }

        /** Of a kernel thread whose name is too long for {@code comm}, {@code struct kthread} has all of it since 5.17. */
        private String fullName(KernelObject task) {
            String name = task.get("comm").string();
            boolean kept = task.has("worker_private")
                    && linux.requireTypes().find("struct kthread").flatMap(type -> type.member("full_name"))
                            .isPresent();
            if (!kept || task.get("worker_private").isNull()) {
                return name;
            }
            KernelObject full = task.get("worker_private").dereferenceAs("struct kthread").get("full_name");
            if (full.isNull()) {
                return name;
            }
            String whole = full.string();
            return whole.startsWith(name) ? whole : name;
        }

        private static OptionalInt owner(KernelObject task, String kind) {
            return task.get("cred").target()
                    .map(credentials -> OptionalInt.of((int) credentials.getLong(kind + ".val")))
                    .orElse(OptionalInt.empty());
        }

        private static char state(KernelObject task) {
            int state = (int) task.getAny("__state", "state").map(KernelObject::asLong).orElse(0L).longValue();
            if ((state & IDLE) == IDLE) {
                return LETTERS.charAt(IDLE_LETTER);
            }
            if ((state & AS_UNINTERRUPTIBLE) != 0) {
                return LETTERS.charAt(UNINTERRUPTIBLE_LETTER);
            }
            int reported = (state | task.getInt("exit_state")) & REPORTED;
            return LETTERS.charAt(Integer.SIZE - Integer.numberOfLeadingZeros(reported));
        }

        private long resident(KernelObject mm, KernelObject task) {
            long pages = 0;
            for (int kind : RESIDENT) {
                if (mm.has("rss_stat.count")) {
                    pages += mm.getLong("rss_stat.count[" + kind + "].counter") + keptByThreads(task, kind);
                } else {
                    pages += perCpu(mm.get("rss_stat").index(kind));
                }
            }
            return Math.max(0, pages) * PAGE;
        }

        private static long keptByThreads(KernelObject task, int kind) {
            if (!task.has("rss_stat.count")) {
                return 0;
            }
            long sum = 0;
            for (KernelObject thread : task.get("signal.thread_head").list(TASK, "thread_node")) {
                sum += thread.getLong("rss_stat.count[" + kind + "]");
            }
            return sum;
        }

        private long perCpu(KernelObject counter) {
            long sum = counter.getLong("count");
            if (!counter.get("counters").isNull()) {
                for (int cpu : cpus.possible()) {
                    sum += counter.get("counters").dereferencePerCpu(cpu).asLong();
                }
            }
            return sum;
        }
    }
}

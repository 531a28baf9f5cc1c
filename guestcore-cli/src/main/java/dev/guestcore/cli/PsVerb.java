package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code guestcore ps}. */
@Command(
        name = "ps",
        description = {
            "Show the processes of a Linux guest, as ps does.",
            "",
            "Only the guest's memory is needed. Kernel threads stand in brackets. START is the time from the "
                    + "guest's start to the process's, RSS the memory that it has in RAM. States are those of ps: R running, S "
                    + "sleeping, D uninterruptible, I idle kernel thread, T stopped, t traced, Z zombie, X dead, P parked; a + marks "
                    + "what a CPU is running. Processes that one of the kernel's lists hides are marked."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore ps vm.core",
            "  guestcore ps vm.core --tree",
            "  guestcore ps qemu:/run/vm.qmp --threads --json"
        })
final class PsVerb extends LinuxVerb {

    private static final double SECOND = 1e9;

    /** A tree that is deeper is not drawn to its end. */
    private static final int DEEPEST = 200;

    @Option(names = "--tree", description = "Show each process below its parent.")
    boolean tree;

    @Option(names = "--threads", description = "Show each thread, and the idle tasks of the CPUs.")
    boolean threads;

    PsVerb(Console console) {
        super(console);
    }

    @Override
    int show(Guest guest) {
        Tasks tasks = linux(guest).tasks();
        List<Task> shown = tasks.stream()
                .filter(task -> threads || task.isLeader() && !task.isIdle() || task.isHidden())
                .toList();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("tasks", (Iterable<Object>) () -> shown.stream().<Object>map(PsVerb::json).iterator());
            document.put("problems", tasks.problems());
            printJson(document);
        } else {
            table(tree ? inTree(shown) : shown.stream().map(task -> new Row(task, "")).toList());
        }
        return problems(tasks.problems());
    }

    private record Row(Task task, String indent) {}

    private void table(List<Row> rows) {
        List<String> headings = new ArrayList<>(List.of("PID>"));
        if (threads) {
            headings.add("TID>");
        }
        headings.addAll(List.of("PPID>", "UID>", "S", "CPU>", "START>", "RSS>", "COMMAND"));
        Table table = new Table(headings.toArray(String[]::new));
        for (Row row : rows) {
            Task task = row.task;
            List<String> cells = new ArrayList<>(List.of(Integer.toString(task.tgid())));
            if (threads) {
                cells.add(Integer.toString(task.pid()));
            }
            cells.addAll(List.of(
                    Integer.toString(task.parent()),
                    task.uid().isPresent() ? Integer.toUnsignedString(task.uid().getAsInt()) : "?",
                    task.state() + (task.onCpu() ? "+" : ""),
                    Integer.toString(task.cpu()),
                    task.started().isPresent()
                            ? String.format(Locale.ROOT, "%.2f s", task.started().getAsLong() / SECOND)
                            : "?",
                    task.residentBytes().isPresent() ? Amounts.human(task.residentBytes().getAsLong()) : "",
                    row.indent + command(task) + hidden(task)));
            table.row(cells.toArray(String[]::new));
        }
        table.lines(console().style()).forEach(this::print);
    }

    private String command(Task task) {
        Style style = console().style();
        String name = Printable.of(task.name());
        if (task.isIdle() || task.kernelThread()) {
            return style.faint("[" + name + "]");
        }
        if (task.state() == 'Z') {
            return style.faint("[" + name + "] defunct");
        }
        if (!task.isLeader()) {
            return name;
        }
        Optional<String> words = task.arguments().map(arguments -> String.join(" ", arguments).strip());
        String more = task.argumentsCut() ? style.faint(" … (longer than 128 KiB)") : "";
        return words.map(text -> (text.isEmpty() ? "[" + name + "]" : Printable.of(text)) + more)
                .orElseGet(() -> "[" + name + "] " + style.faint("(its command line is not in memory)"));
    }

    private String hidden(Task task) {
        if (!task.isHidden()) {
            return "";
        }
        String where = task.seenIn().stream().map(PsVerb::title).sorted().collect(Collectors.joining(" and "));
        return " " + console().style().bad("(hidden: only in " + where + ")");
    }

    private static String title(Task.Place place) {
        return switch (place) {
            case LIST -> "the list of processes";
            case PID_TABLE -> "the table of process ids";
            case CPU -> "a CPU's run queue";
        };
    }

    /** Parents before their children; whoever has no parent here, or is its own ancestor, stands at the left. */
    private static List<Row> inTree(List<Task> tasks) {
        Map<Integer, List<Task>> children = new LinkedHashMap<>();
        Set<Integer> processes = tasks.stream().map(Task::tgid).collect(Collectors.toSet());
        List<Task> roots = new ArrayList<>();
        for (Task task : tasks) {
            int above = task.isLeader() ? task.parent() : task.tgid();
            if (task.isIdle() || !processes.contains(above) || above == 0) {
                roots.add(task);
            } else {
                children.computeIfAbsent(above, id -> new ArrayList<>()).add(task);
            }
        }
        List<Row> rows = new ArrayList<>();
        Set<Task> placed = new HashSet<>();
        place(roots, children, rows, placed);
        // What is left are circles of parents, which no true guest has.
        place(tasks.stream().filter(task -> !placed.contains(task)).toList(), Map.of(), rows, placed);
        return rows;
    }

    private record Branch(Task task, String before, boolean isLast, int depth) {

        String indent() {
            return depth == 0 ? "" : before + (isLast ? "└─ " : "├─ ");
        }

        String beforeChildren() {
            return depth == 0 ? "" : before + (isLast ? "   " : "│  ");
        }
    }

    private static void place(
            List<Task> roots, Map<Integer, List<Task>> children, List<Row> rows, Set<Task> placed) {
        Deque<Branch> open = new ArrayDeque<>();
        for (Task root : roots.reversed()) {
            open.push(new Branch(root, "", true, 0));
        }
        while (!open.isEmpty()) {
            Branch branch = open.pop();
            if (!placed.add(branch.task)) {
                continue;
            }
            rows.add(new Row(branch.task, branch.indent()));
            List<Task> below = branch.task.isLeader() && !branch.task.isIdle() && branch.depth < DEEPEST
                    ? children.getOrDefault(branch.task.pid(), List.of())
                    : List.of();
            for (int i = below.size() - 1; i >= 0; i--) {
                open.push(new Branch(
                        below.get(i), branch.beforeChildren(), i == below.size() - 1, branch.depth + 1));
            }
        }
    }

    private static Map<String, Object> json(Task task) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pid", task.tgid());
        json.put("tid", task.pid());
        json.put("ppid", task.parent());
        task.uid().ifPresent(uid -> json.put("uid", Integer.toUnsignedLong(uid)));
        task.gid().ifPresent(gid -> json.put("gid", Integer.toUnsignedLong(gid)));
        json.put("name", task.name());
        json.put("state", String.valueOf(task.state()));
        json.put("cpu", task.cpu());
        json.put("onCpu", task.onCpu());
        task.started().ifPresent(started -> json.put("startedNanoseconds", started));
        json.put("kernelThread", task.kernelThread());
        task.residentBytes().ifPresent(bytes -> json.put("residentBytes", bytes));
        task.arguments().ifPresent(arguments -> json.put("arguments", arguments));
        if (task.argumentsCut()) {
            json.put("argumentsCut", true);
        }
        json.put("taskStruct", Json.address(task.object().address()));
        json.put("hidden", task.isHidden());
        json.put("seenIn", task.seenIn().stream().sorted().map(Names::of).toList());
        return json;
    }
}

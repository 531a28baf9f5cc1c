package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryUse;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code guestcore memory}. */
@Command(
        name = "memory",
        description = {
            "Show where the memory of a Linux guest went, and the largest processes.",
            "",
            "Nothing else is needed than the guest's memory. The numbers are the kernel's own, as in /proc/meminfo; what "
                    + "a kernel does not count is not shown. Memory that processes share is in the RSS of each of them."
        },
        footer = {"", "Examples:", "  guestcore memory vm.core", "  guestcore memory vm.core --top 3 --json"})
final class MemoryVerb extends LinuxListVerb {

    private static final int USUAL_TOP = 10;

    @Option(
            names = "--top",
            paramLabel = "<number>",
            description = "Show so many processes, the largest first. Default: " + USUAL_TOP + ".")
    int top = USUAL_TOP;

    MemoryVerb(Console console) {
        super(console);
    }

    @Override
    void check() {
        if (top < 0) {
            throw usage("--top is a number from 0 on, found " + top);
        }
    }

    @Override
    int show(Linux linux) {
        MemoryUse use = linux.memoryUse();
        Tasks tasks = linux.tasks();
        List<Task> largest = tasks.processes()
                .filter(task -> task.residentBytes().isPresent())
                .sorted(Comparator.comparingLong((Task task) -> task.residentBytes().getAsLong()).reversed())
                .limit(top)
                .toList();
        if (json) {
            printJson(document(use, largest, tasks.problems()));
        } else {
            print(use);
            print(largest);
        }
        List<String> problems = new ArrayList<>(use.problems());
        problems.addAll(tasks.problems());
        return problems(problems);
    }

    private void print(MemoryUse use) {
        Table table = new Table("", ">", ">");
        use.total().ifPresent(total -> table.row("total", Amounts.human(total), ""));
        for (MemoryUse.Kind kind : MemoryUse.Kind.values()) {
            Long bytes = use.bytes().get(kind);
            if (bytes != null) {
                table.row(title(kind), Amounts.human(bytes), share(bytes, use));
            }
        }
        use.pools().forEach(pool -> table.row(
                "huge pages of " + Amounts.human(pool.pageSize()),
                Amounts.human(pool.pageSize() * pool.pages()),
                pool.free() + " of " + pool.pages() + " free"));
        use.other().ifPresent(other -> table.row("other", Amounts.human(other), share(other, use)));
        table.lines(console().style()).forEach(this::print);
    }

    private static String title(MemoryUse.Kind kind) {
        return (kind.whole().isPresent() ? "  of that, " : "") + switch (kind) {
            case FREE -> "free";
            case FREE_OF_CPUS -> "free, in lists of CPUs";
            case ANONYMOUS -> "anonymous";
            case ANONYMOUS_HUGE -> "in huge pages";
            case PAGE_CACHE -> "page cache";
            case SHARED -> "tmpfs and shared memory";
            case DIRTY -> "to be written to disk";
            case SLAB_RECLAIMABLE -> "slab, reclaimable";
            case SLAB_UNRECLAIMABLE -> "slab, unreclaimable";
            case PAGE_TABLES -> "page tables";
            case KERNEL_STACKS -> "kernel stacks";
        };
    }

    private static String share(long bytes, MemoryUse use) {
        return use.total().isPresent()
                ? String.format(Locale.ROOT, "%.1f %%", 100.0 * bytes / use.total().getAsLong())
                : "";
    }

    private void print(List<Task> largest) {
        if (largest.isEmpty()) {
            return;
        }
        print("");
        Table table = new Table("PID>", "RSS>", "NAME");
        largest.forEach(task -> table.row(
                String.valueOf(task.pid()),
                Amounts.human(task.residentBytes().orElse(0)),
                Printable.of(task.name())));
        table.lines(console().style()).forEach(this::print);
    }

    private Map<String, Object> document(MemoryUse use, List<Task> largest, List<String> ofTasks) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", Locations.printable(source));
        use.total().ifPresent(total -> document.put("totalBytes", total));
        use.bytes().forEach((kind, bytes) -> document.put(member(kind), bytes));
        use.other().ifPresent(other -> document.put("otherBytes", other));
        document.put("hugePages", use.pools().stream().map(MemoryVerb::json).toList());
        document.put("processes", largest.stream().map(MemoryVerb::json).toList());
        List<String> problems = new ArrayList<>(use.problems());
        problems.addAll(ofTasks);
        document.put("problems", problems);
        return document;
    }

    /** PAGE_CACHE is pageCacheBytes. */
    private static String member(MemoryUse.Kind kind) {
        StringBuilder name = new StringBuilder();
        for (String word : kind.name().toLowerCase(Locale.ROOT).split("_")) {
            name.append(name.isEmpty() ? word : Character.toUpperCase(word.charAt(0)) + word.substring(1));
        }
        return name + "Bytes";
    }

    private static Map<String, Object> json(MemoryUse.HugePages pool) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pageSize", pool.pageSize());
        json.put("pages", pool.pages());
        json.put("free", pool.free());
        return json;
    }

    private static Map<String, Object> json(Task task) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pid", task.pid());
        json.put("name", task.name());
        json.put("residentBytes", task.residentBytes().orElse(0));
        return json;
    }
}

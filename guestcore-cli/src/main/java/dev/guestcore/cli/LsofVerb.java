package dev.guestcore.cli;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.OpenFile;
import dev.guestcore.linux.OpenFiles;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import dev.guestcore.linux.Walk;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code guestcore lsof}. */
@Command(
        name = "lsof",
        aliases = "files",
        description = {
            "Show the files that the processes of a Linux guest have open, as lsof does.",
            "",
            "Only the guest's memory is needed. The letter after a descriptor says how the file was opened: r to "
                    + "read, w to write, u for both."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore lsof vm.core",
            "  guestcore files vm.core 1234",
            "  guestcore lsof qemu:/run/vm.qmp --json"
        })
final class LsofVerb extends LinuxListVerb {

    @Parameters(index = "1", arity = "0..1", paramLabel = "<pid>", description = "Only files of this process.")
    @Nullable
    Integer pid;

    LsofVerb(Console console) {
        super(console);
    }

    private record Row(Task task, OpenFile file) {}

    @Override
    int show(Linux linux) {
        List<String> problems = new ArrayList<>();
        List<Row> rows = new ArrayList<>();
        for (Task task : tasks(linux, problems)) {
            try {
                Walk<OpenFile> files = OpenFiles.of(task.object());
                files.forEach(file -> rows.add(new Row(task, file)));
                files.problems().forEach(problem -> problems.add("process " + task.pid() + ": " + problem));
            } catch (GuestcoreException e) {
                problems.add("process " + task.pid() + ": " + e.getMessage());
            }
        }
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("files", (Iterable<Object>) () -> rows.stream().<Object>map(LsofVerb::json).iterator());
            document.put("problems", problems);
            printJson(document);
        } else {
            table(rows);
        }
        return problems(problems);
    }

    private List<Task> tasks(Linux linux, List<String> problems) {
        if (pid != null) {
            return List.of(process(linux, pid));
        }
        Tasks tasks = linux.tasks();
        problems.addAll(tasks.problems());
        return tasks.processes().toList();
    }

    private void table(List<Row> rows) {
        Table table = new Table("COMMAND", "PID>", "FD>", "TYPE", "SIZE>", "INODE>", "NAME");
        for (Row row : rows) {
            OpenFile file = row.file;
            table.row(
                    Printable.of(row.task.name()),
                    Integer.toString(row.task.pid()),
                    file.descriptor() + letter(file.access()),
                    Names.of(file.kind()),
                    file.size().map(String::valueOf).orElse(""),
                    Long.toUnsignedString(file.inode()),
                    Printable.of(file.name()));
        }
        table.lines(console().style()).forEach(this::print);
    }

    private static String letter(OpenFile.Access access) {
        return switch (access) {
            case READ -> "r";
            case WRITE -> "w";
            case READ_WRITE -> "u";
            case NONE -> " ";
        };
    }

    private static Map<String, Object> json(Row row) {
        OpenFile file = row.file;
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("pid", row.task.pid());
        json.put("command", row.task.name());
        json.put("descriptor", file.descriptor());
        json.put("name", file.name());
        json.put("kind", Names.of(file.kind()));
        json.put("access", Names.of(file.access()));
        json.put("position", file.position());
        file.size().ifPresent(size -> json.put("size", size));
        json.put("inode", file.inode());
        json.put("fileStruct", Json.address(file.object().address()));
        return json;
    }
}

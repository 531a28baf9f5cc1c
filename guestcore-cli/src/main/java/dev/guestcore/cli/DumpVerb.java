package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Tasks;
import dev.guestcore.linux.export.ProcessCore;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore dump}. */
@Command(
        name = "dump",
        description = {
            "Write an ELF core of one process of a Linux guest, for gdb.",
            "",
            "It has the registers of each thread, the auxiliary vector, the names of mapped files, and what is in "
                    + "memory. Pages that are swapped out, and those of files that the process has not mapped in, are "
                    + "left out; gdb takes the latter from the program's own file. Nothing else is needed than the "
                    + "guest's memory. Exit code 3 if registers or areas are missing."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore dump vm.core --pid 1234 -o core.1234",
            "  gdb ./program core.1234"
        })
final class DumpVerb extends Verb {

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as qemu:SOCKET, of a Linux guest.")
    String source = "";

    @Option(
            names = "--pid",
            required = true,
            paramLabel = "<pid>",
            description = "The process, or the thread of it that gdb shall show first.")
    int pid;

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "<file>",
            description = "The file to write; '-' is standard output.")
    String output = "";

    @Option(names = "--force", description = "Replace the file if it exists.")
    boolean force;

    @Mixin
    ProgressOption progress = new ProgressOption();

    @Mixin
    FreezeOption freeze = new FreezeOption();

    @Mixin
    CacheOption cache = new CacheOption();

    DumpVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        boolean stream = output.equals(FileNames.STANDARD_OUTPUT);
        if (force && stream) {
            throw usage("--force needs -o with a file");
        }
        if (json && stream) {
            throw usage("--json needs -o with a file: standard output would hold both");
        }
        if (stream && console().terminal().out()) {
            throw usage("standard output is a terminal; send it to a pipe, or name a file with -o");
        }
        return stream ? streaming(() -> dump(this::toStandardOutput)) : unwinding(() -> dump(this::toFile));
    }

    /** Writes a core; gives how many bytes of memory could not be read. */
    @FunctionalInterface
    private interface Writing {

        long write(ProcessCore core, ShownProgress shown);
    }

    private int dump(Writing writing) {
        try (FreezeOption.Look look = freeze.look(this);
                Guest guest = look.open(source, FreezeOption.Need.MUCH, progress.mode)) {
            ProcessCore core;
            Linux linux;
            long unreadable;
            try (ShownProgress shown = progress(progress.mode)) {
                linux = Linux.of(guest, shown, cache.of(source));
                Tasks tasks = linux.tasks();
                core = ProcessCore.of(tasks, ProcessOption.find(tasks, pid, source), shown);
                unreadable = writing.write(core, shown);
            }
            tell(core.report(), unreadable);
            int damage = Math.max(problems(linux.problems()), report(guest.findings()));
            boolean whole = core.report().problems().isEmpty() && unreadable == 0;
            return damage == ExitCode.DONE && !whole ? ExitCode.DAMAGED : damage;
        }
    }

    private long toStandardOutput(ProcessCore core, ShownProgress shown) {
        ChannelSink sink = new ChannelSink(console().outChannel(), "standard output");
        long unreadable = core.write(sink, shown);
        sink.flush();
        return unreadable;
    }

    private long toFile(ProcessCore core, ShownProgress shown) {
        OutputFile.IfExists ifExists = force ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
        try (OutputFile file = OutputFile.create(FileNames.fileToWrite(output), ifExists)) {
            file.requireSpace(core.report().size());
            long unreadable = core.write(file.sink(), shown);
            file.commit();
            return unreadable;
        }
    }

    private void tell(ProcessCore.Report report, long unreadable) {
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("pid", pid);
            document.put("output", output);
            document.put("size", report.size());
            document.put("threads", report.threads());
            document.put("memoryBytes", report.memory());
            document.put("missingBytes", report.missing());
            document.put("missingFileBytes", report.missingOfFiles());
            document.put("unreadableBytes", unreadable);
            document.put("problems", report.problems());
            printJson(document);
        } else {
            afterwards("guestcore: " + Text.counted(report.threads(), "thread") + ", "
                    + Amounts.human(report.memory()) + " of memory" + left(report));
        }
        if (unreadable > 0) {
            remark("guestcore: " + Amounts.human(unreadable) + " could not be read, and are zero in the core");
        }
        report.problems().forEach(problem -> remark("guestcore: " + Printable.of(problem)));
    }

    private static String left(ProcessCore.Report report) {
        long swapped = report.missing() - report.missingOfFiles();
        return (report.missingOfFiles() > 0
                ? "; " + Amounts.human(report.missingOfFiles()) + " of files are not mapped in and left out"
                : "")
                + (swapped > 0 ? "; " + Amounts.human(swapped) + " are swapped out or missing, and left out" : "");
    }
}

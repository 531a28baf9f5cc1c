package dev.guestcore.cli;

import dev.guestcore.file.Locations;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Task;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** {@code guestcore env}. */
@Command(
        name = "env",
        description = {
            "Show the environment that a process of a Linux guest was started with, as env does.",
            "",
            "Only the guest's memory is needed. It is read by the process's own page tables; what the process "
                    + "changed later is not seen. With --json the words of its command line are shown, too."
        },
        footer = {"", "Examples:", "  guestcore env vm.core 1234", "  guestcore env vm.core 1234 --json"})
final class EnvVerb extends LinuxListVerb {

    @Parameters(index = "1", paramLabel = "<pid>", description = "The process.")
    int pid;

    EnvVerb(Console console) {
        super(console);
    }

    @Override
    int show(Linux linux) {
        Task task = process(linux, pid);
        Optional<List<String>> environment = task.environment();
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("pid", pid);
            document.put("name", task.name());
            task.arguments().ifPresent(words -> document.put("arguments", words));
            environment.ifPresent(words -> document.put("environment", words));
            if (task.argumentsCut()) {
                document.put("argumentsCut", true);
            }
            if (task.environmentCut()) {
                document.put("environmentCut", true);
            }
            printJson(document);
        } else {
            environment.ifPresent(words -> words.forEach(word -> print(Printable.of(word))));
        }
        if (environment.isEmpty()) {
            remark("guestcore: " + (task.kernelThread() || task.state() == 'Z'
                    ? ProcessOption.withoutMemory(pid)
                    : "the environment of process " + pid
                            + " is not in memory: it was swapped out or left out of the dump"));
            return ExitCode.FAILED;
        }
        if (task.environmentCut()) {
            remark("guestcore: the environment of process " + pid
                    + " is longer than 128 KiB, of which the first are shown; "
                    + Text.program() + " read " + Text.quoted(source) + " --pid " + pid + " shows its memory");
        }
        return ExitCode.DONE;
    }
}

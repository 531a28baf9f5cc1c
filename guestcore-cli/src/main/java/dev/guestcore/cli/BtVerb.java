package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.file.Locations;
import dev.guestcore.internal.text.Names;
import dev.guestcore.json.Json;
import dev.guestcore.linux.Stacks;
import dev.guestcore.linux.TaskStack;
import dev.guestcore.linux.stacks.StackFrame;
import dev.guestcore.linux.stacks.StackTrace;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore bt}. */
@Command(
        name = "bt",
        description = {
            "Show kernel stacks of a Linux guest: of a task, of a vCPU, or of all tasks.",
            "",
            "Only the guest's memory is needed. Without a number, the stacks of what the vCPUs run are "
                    + "shown. A frame is found by the kernel's own unwinding table unless it says otherwise; a question "
                    + "mark is before what may be left over from earlier. With --all, tasks with the same stack are shown "
                    + "together."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore bt hang.core",
            "  guestcore bt hang.core 1",
            "  guestcore bt hang.core --all"
        })
final class BtVerb extends LinuxVerb {

    private static final int NAMES_IN_LINE = 6;

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "<pid>",
            description = "Number of a task (a thread's too), as the guest's first PID namespace counts them.")
    @Nullable
    Integer pid;

    @Option(names = "--cpu", paramLabel = "<number>", description = "What this vCPU runs, counted from 0.")
    @Nullable
    Integer cpu;

    @Option(names = "--all", description = "All tasks, those with the same stack together.")
    boolean all;

    BtVerb(Console console) {
        super(console);
    }

    @Override
    void check() {
        int chosen = (pid == null ? 0 : 1) + (cpu == null ? 0 : 1) + (all ? 1 : 0);
        if (chosen > 1) {
            throw usage("choose one of <pid>, --cpu and --all");
        }
        if (pid != null && pid < 0) {
            throw usage("<pid>: expected 0 or more, found " + pid);
        }
    }

    @Override
    int show(Guest guest) {
        Stacks stacks = linux(guest).stacks();
        if (all) {
            return showAll(stacks.all());
        }
        List<TaskStack> found = new ArrayList<>();
        if (pid != null) {
            stacks.ofPid(pid).ifPresent(found::add);
            if (found.isEmpty()) {
                remark("guestcore: " + Printable.location(source) + ": no task has the number " + pid
                        + "; '" + Text.program() + " bt " + Text.quoted(source) + " --all' shows all tasks");
                return ExitCode.FAILED;
            }
        } else {
            if (guest.vcpus().isEmpty()) {
                remark("guestcore: " + Printable.location(source) + ": the registers of the vCPUs are not in it; '"
                        + Text.program()
                        + " bt "
                        + Text.quoted(source) + " --all' shows the stacks of all tasks");
                return ExitCode.FAILED;
            }
            List<Vcpu> vcpus = cpu == null ? guest.vcpus() : List.of(Vcpus.numbered(cpu, guest.vcpus(), source));
            vcpus.forEach(vcpu -> found.add(stacks.ofVcpu(vcpu)));
        }
        return show(found, List.of());
    }

    private int show(List<TaskStack> found, List<String> problems) {
        if (json) {
            Map<String, Object> document = new LinkedHashMap<>();
            document.put("source", Locations.printable(source));
            document.put("stacks", (Iterable<Object>) () -> found.stream().<Object>map(BtVerb::json).iterator());
            document.put("problems", problems);
            printJson(document);
        } else {
            boolean first = true;
            for (TaskStack stack : found) {
                if (!first) {
                    print("");
                }
                first = false;
                print(console().style().heading(title(stack)));
                describe(stack.trace(), true);
            }
        }
        return problems(problems);
    }

    /** Equal stacks together, the most frequent first. */
    private int showAll(Stacks.Listing listing) {
        List<String> problems = listing.problems();
        if (json) {
            return show(listing.stacks(), problems);
        }
        Map<List<Object>, List<TaskStack>> groups = new LinkedHashMap<>();
        listing.stacks()
                .forEach(stack -> groups.computeIfAbsent(key(stack.trace()), key -> new ArrayList<>()).add(stack));
        List<List<TaskStack>> ordered = new ArrayList<>(groups.values());
        ordered.sort(Comparator.comparingInt((List<TaskStack> group) -> group.size()).reversed());
        boolean first = true;
        for (List<TaskStack> group : ordered) {
            if (!first) {
                print("");
            }
            first = false;
            print(console().style().heading(Text.counted(group.size(), "task")));
            names(group).forEach(line -> print("  " + line));
            describe(group.getFirst().trace(), false);
        }
        return problems(problems);
    }

    private static List<Object> key(StackTrace trace) {
        List<Object> key = new ArrayList<>();
        trace.frames().forEach(frame -> {
            key.add(frame.address());
            key.add(frame.foundBy() == StackFrame.FoundBy.GUESS);
        });
        key.add(trace.end());
        key.add(trace.reason());
        return key;
    }

    private static List<String> names(List<TaskStack> group) {
        List<String> lines = new ArrayList<>();
        StringBuilder line = new StringBuilder();
        int inLine = 0;
        for (TaskStack stack : group) {
            if (inLine == NAMES_IN_LINE) {
                lines.add(line.append(',').toString());
                line = new StringBuilder();
                inLine = 0;
            }
            line.append(inLine++ == 0 ? "" : ", ").append(stack.pid()).append(' ').append(Printable.of(stack.name()));
        }
        lines.add(line.toString());
        return lines;
    }

    private static String title(TaskStack stack) {
        String thread = stack.pid() == stack.tgid() ? "" : ", thread of " + stack.tgid();
        String where = stack.cpu().isPresent() ? ", runs on CPU " + stack.cpu().getAsInt() : "";
        return "task " + stack.pid() + " " + Printable.of(stack.name()) + thread + where;
    }

    private void describe(StackTrace trace, boolean withRegisters) {
        Style style = console().style();
        int number = 0;
        for (StackFrame frame : trace.frames()) {
            if (frame.interrupted()) {
                print(style.faint("      --- interrupted ---"));
            }
            boolean guess = frame.foundBy() == StackFrame.FoundBy.GUESS;
            String how = frame.foundBy() == StackFrame.FoundBy.FRAME_POINTER ? style.faint("  (by frame pointer)") : "";
            print("  #%-2d %s %s%s%s".formatted(
                    number++,
                    style.faint("0x%016x".formatted(frame.address())),
                    guess ? style.odd("? ") : "",
                    Printable.of(frame.symbol().isPresent() ? frame.toString() : "no symbol"),
                    how));
        }
        switch (trace.end()) {
            case BROKEN -> print("  " + style.bad("broken") + ": " + Printable.of(trace.reason()));
            case UNKNOWN -> print("  unknown: " + Printable.of(trace.reason()));
            case USER -> {
                if (withRegisters) {
                    trace.user().ifPresent(registers -> print("  user mode" + registers(registers)));
                } else {
                    print("  user mode");
                }
            }
            case KERNEL -> {}
        }
    }

    private static String registers(RegisterState state) {
        StringBuilder text = new StringBuilder();
        for (X86 register : List.of(X86.RIP, X86.RSP)) {
            if (state.knows(register)) {
                text.append(text.isEmpty() ? ": " : ", ")
                        .append(register.label())
                        .append(' ')
                        .append(state.hex(register));
            }
        }
        return text.toString();
    }

    private static Map<String, Object> json(TaskStack stack) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("task", Json.address(stack.task()));
        json.put("pid", stack.pid());
        json.put("tgid", stack.tgid());
        json.put("name", stack.name());
        stack.cpu().ifPresent(cpu -> json.put("cpu", cpu));
        StackTrace trace = stack.trace();
        json.put("frames", trace.frames().stream().map(BtVerb::json).toList());
        json.put("end", Names.of(trace.end()));
        if (!trace.reason().isEmpty()) {
            json.put("reason", trace.reason());
        }
        trace.user().ifPresent(state -> {
            Map<String, Object> registers = new LinkedHashMap<>();
            state.known().forEach(register -> registers.put(register.label(), state.hex(register)));
            json.put("user", registers);
        });
        return json;
    }

    private static Map<String, Object> json(StackFrame frame) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("address", Json.address(frame.address()));
        frame.symbol().ifPresent(at -> {
            json.put("function", at.symbol().name());
            json.put("offset", at.offset());
            at.symbol().module().ifPresent(module -> json.put("module", module));
        });
        json.put("stack", Json.address(frame.stackPointer()));
        json.put("by", Names.of(frame.foundBy()));
        if (frame.interrupted()) {
            json.put("interrupted", true);
        }
        return json;
    }
}

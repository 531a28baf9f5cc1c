package dev.guestcore.linux;

import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.CheckFinding.Category;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/**
 * Signs of tampering and of trouble in a kernel, from memory alone. Each check compares what the kernel keeps in two places, or
 * what it keeps with what its own code always puts there; so a finding is evidence, and no finding is no proof. Immutable.
 */
public final class KernelCheck {

    /** More findings of one check are only counted. */
    private static final int MOST_OF_ONE = 64;

    private final List<CheckFinding> findings;
    private final List<String> checks;
    private final List<String> notJudged;
    private final List<String> problems;

    /** Looks at one thing, and tells what it finds. */
    @FunctionalInterface
    interface Part {

        /** Looks; what cannot be read may be thrown. */
        void look(Told told);
    }

    /** Takes what a check finds. */
    static final class Told {

        private final List<CheckFinding> findings = new ArrayList<>();
        private final List<String> notJudged = new ArrayList<>();
        private final List<String> problems = new ArrayList<>();
        private long left;
        private long missing;

        void found(CheckFinding finding) {
            if (findings.size() < MOST_OF_ONE) {
                findings.add(finding);
            } else {
                left++;
            }
        }

        /** Takes what another has been told. */
        void take(Told other) {
            other.findings.forEach(this::found);
            left += other.left;
        }

        /** Code that is not in the dump. */
        void missing() {
            missing++;
        }

        /** What cannot be told of this kernel. */
        void notJudged(String what) {
            notJudged.add(what);
        }

        /** What cannot be read. */
        void problems(List<String> lines) {
            problems.addAll(lines);
        }
    }

    private KernelCheck(
            List<CheckFinding> findings, List<String> checks, List<String> notJudged, List<String> problems) {
        this.findings = findings.stream()
                .sorted(Comparator.comparing(CheckFinding::category).reversed())
                .toList();
        this.checks = List.copyOf(checks);
        this.notJudged = List.copyOf(notJudged);
        this.problems = List.copyOf(problems);
    }

    /** Runs all checks. */
    static KernelCheck of(Linux linux) {
        linux.requireTypes();
        Search search = new Search();
        search.run("tasks", told -> tasks(linux, told));
        search.run("modules", told -> modules(linux, told));
        search.run("sockets", told -> sockets(linux, told));
        search.run("system calls", new SystemCallCheck(linux));
        search.run("interrupt descriptors", new InterruptTableCheck(linux));
        search.run("tables of functions", new FunctionTableCheck(linux));
        search.run("kernel code", new CodeCheck(linux));
        search.run("log", told -> linux.log().lastTrouble().ifPresent(trouble -> told.found(CheckFinding.of(
                "trouble", Category.TROUBLE, "the log tells of trouble (" + trouble.kind().label() + "): "
                        + trouble.headline().text()))));
        search.run("tasks that wait", new WaitCheck(linux));
        search.run("lockups", new LockupCheck(linux));
        search.run("taint", told -> TaintCheck.look(linux, told));
        search.told.notJudged(
                "kernel code between the starts of functions: there is nothing in memory to compare it with");
        return new KernelCheck(search.told.findings, search.checks, search.told.notJudged, search.told.problems);
    }

    private static final class Search {

        private final List<String> checks = new ArrayList<>();
        private final Told told = new Told();

        /** What a kernel does not have cannot be judged; memory that is missing is a problem. */
        void run(String name, Part part) {
            Told own = new Told();
            try {
                part.look(own);
                checks.add(name);
            } catch (CancelledException e) {
                throw e;
            } catch (LinuxException e) {
                own.notJudged(name + ": " + e.getMessage());
            } catch (GuestcoreException e) {
                own.problems(List.of(name + ": " + e.getMessage()));
            }
            told.findings.addAll(own.findings);
            if (own.left > 0) {
                told.findings.add(CheckFinding.of(
                        own.findings.getLast().id(), own.findings.getLast().category(),
                        own.left + " more of the same kind in " + name));
            }
            if (own.missing > 0) {
                own.problems(List.of(name + ": the memory of " + own.missing + " functions is missing"));
            }
            told.notJudged.addAll(own.notJudged);
            told.problems.addAll(own.problems);
        }
    }

    private static void tasks(Linux linux, Told told) {
        Tasks tasks = linux.tasks();
        told.problems(tasks.problems());
        tasks.stream().filter(Task::isHidden).forEach(task -> told.found(CheckFinding.tampering(
                "hidden-task",
                "process " + task.tgid() + (task.isLeader() ? "" : ", thread " + task.pid()) + " (" + task.name()
                        + ") is missing where the kernel should know it",
                task.object().address(),
                "in the list of processes and in the table of process ids",
                "in " + task.seenIn().stream().map(KernelCheck::title).sorted().collect(Collectors.joining(" and ")))));
    }

    private static String title(Task.Place place) {
        return switch (place) {
            case LIST -> "the list of processes";
            case PID_TABLE -> "the table of process ids";
            case CPU -> "a CPU's run queue";
        };
    }

    private static void modules(Linux linux, Told told) {
        Modules modules = linux.modules();
        told.problems(modules.problems());
        modules.stream()
                .filter(LoadedModule::isHidden)
                .forEach(module -> told.found(CheckFinding.tampering(
                        "hidden-module",
                        "module " + module.name() + " is missing in the kernel's list of modules",
                        module.object().address(),
                        "in the list of modules",
                        "in " + module.seenIn().stream().map(KernelCheck::title).sorted()
                                .collect(Collectors.joining(" and ")))));
    }

    private static void sockets(Linux linux, Told told) {
        Walk<Socket> sockets = linux.sockets();
        told.problems(sockets.problems());
        sockets.stream().filter(Socket::isHidden).forEach(socket -> told.found(CheckFinding.tampering(
                "hidden-socket",
                "the " + socket.kind() + " socket " + socket.local()
                        + socket.remote().map(remote -> " to " + remote).orElse("")
                        + " is missing in the kernel's table",
                socket.object().address(),
                "in the table of TCP or UDP",
                "in open files")));
    }

    private static String title(LoadedModule.Place place) {
        return switch (place) {
            case LIST -> "the list of modules";
            case SYSFS -> "/sys/module";
            case TYPES -> "the list of types";
        };
    }

    /** What was found, the worst first. */
    public List<CheckFinding> findings() {
        return findings;
    }

    /** What was looked at, for the user. */
    public List<String> checks() {
        return checks;
    }

    /** What cannot be told of this kernel, and why, for the user: one line each. */
    public List<String> notJudged() {
        return notJudged;
    }

    /** What could not be read, for the user: one line each. */
    public List<String> problems() {
        return problems;
    }
}

package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.error.CancelledException;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.internal.text.Names;
import dev.guestcore.linux.KernelCache;
import dev.guestcore.linux.KernelClock;
import dev.guestcore.linux.KernelObject;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Stacks;
import dev.guestcore.linux.Trouble;
import dev.guestcore.linux.symbols.SymbolOffset;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;

/**
 * What {@code info} tells of what a Linux guest was doing: since when it runs, its last words, and what each vCPU ran. What
 * cannot be read is left out; the commands that show more of it say why.
 */
final class LinuxSection {

    /** So much memory is searched for a kernel unasked, which takes about a second. */
    private static final long MOST_SEARCHED = 1L << 30;

    private final Optional<KernelClock> clock;
    private final boolean hasLog;
    private final Optional<Trouble> trouble;
    private final Map<Integer, Running> running;

    /** What a vCPU runs: the task if it is known, the function if it is the kernel's. */
    record Running(Optional<Owner> task, Optional<String> function) {

        /** "recorder (pid 104)". */
        String who() {
            return task.map(owner -> owner.name + " (pid " + owner.pid + ")").orElse("");
        }
    }

    /** A task by the number and the name that users know it by. */
    record Owner(int pid, int tgid, String name) {}

    private LinuxSection(Linux linux) {
        this.clock = known(linux::clock);
        Optional<Optional<Trouble>> log = known(() -> Optional.of(linux.log().lastTrouble()));
        this.hasLog = log.isPresent();
        this.trouble = log.flatMap(found -> found);
        this.running = new LinkedHashMap<>();
        Optional<Stacks> stacks = known(() -> Optional.of(linux.stacks()));
        for (Vcpu vcpu : linux.guest().vcpus()) {
            Optional<Owner> task = stacks.flatMap(all -> known(() -> all.taskOf(vcpu).map(LinuxSection::owner)));
            Optional<String> function = known(() -> function(linux, vcpu));
            if (task.isPresent() || function.isPresent()) {
                running.put(vcpu.index(), new Running(task, function));
            }
        }
    }

    private static Owner owner(KernelObject task) {
        return new Owner(task.getInt("pid"), task.getInt("tgid"), task.get("comm").string());
    }

    private static Optional<String> function(Linux linux, Vcpu vcpu) {
        return linux.guest()
                .architecture()
                .instructionPointer()
                .filter(vcpu.registers()::knows)
                .flatMap(pointer -> linux.symbols().at(vcpu.registers().get(pointer)))
                .map(SymbolOffset::toString);
    }

    /** A part of what is told, or nothing if memory does not have it. */
    private static <T> Optional<T> known(Supplier<Optional<T>> part) {
        try {
            return part.get();
        } catch (CancelledException e) {
            throw e;
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }

    /**
     * What can be told.
     *
     * @param all whether all memory may be searched for the kernel
     * @param cache what is remembered of it
     * @return empty if no kernel is found
     */
    static Optional<LinuxSection> of(Guest guest, boolean all, KernelCache cache, Progress progress) {
        Budget budget = new Budget(all ? Long.MAX_VALUE : MOST_SEARCHED, progress);
        return known(() -> {
            try {
                return Linux.find(guest, budget, cache).map(LinuxSection::new);
            } catch (CancelledException e) {
                if (budget.left < 0) {
                    return Optional.empty();
                }
                throw e;
            }
        });
    }

    /** Ends a search that takes too long: by bytes, so that the same file always tells the same. */
    private static final class Budget implements Progress {

        private final Progress progress;
        private long left;

        Budget(long bytes, Progress progress) {
            this.left = bytes;
            this.progress = progress;
        }

        @Override
        public void begin(String phase, long totalBytes) {
            progress.begin(phase, totalBytes);
        }

        @Override
        public void advance(long bytes) {
            progress.advance(bytes);
            left -= bytes;
            if (left < 0) {
                throw new CancelledException();
            }
        }
    }

    /** The lines below the headline. */
    List<String> lines(Style style) {
        List<String> lines = new ArrayList<>();
        clock.ifPresent(time -> lines.add("up " + span(time.uptime()) + ", started " + InfoText.time(time.started())
                + " by its own clock"));
        if (trouble.isPresent()) {
            Trouble last = trouble.get();
            lines.add("last words: " + style.bad(Printable.of(last.headline().text()))
                    + style.faint(" (" + last.kind().label()
                            + " " + span(Duration.ofNanos(last.headline().nanoseconds())) + " after the start)"));
        } else if (hasLog) {
            lines.add("running; its log tells of no trouble");
        }
        return lines;
    }

    /** "3 d 4 h 5 min 6 s". */
    private static String span(Duration time) {
        StringBuilder text = new StringBuilder();
        if (time.toDays() > 0) {
            text.append(time.toDays()).append(" d ");
        }
        if (time.toHours() > 0) {
            text.append(time.toHoursPart()).append(" h ");
        }
        if (time.toMinutes() > 0) {
            text.append(time.toMinutesPart()).append(" min ");
        }
        return text.append(time.toSecondsPart()).append(" s").toString();
    }

    /** What a vCPU runs. */
    Optional<Running> running(int vcpu) {
        return Optional.ofNullable(running.get(vcpu));
    }

    /** For programs. */
    Map<String, Object> json() {
        Map<String, Object> json = new LinkedHashMap<>();
        clock.ifPresent(time -> {
            json.put("uptimeNanoseconds", time.uptime().toNanos());
            json.put("now", time.now().toString());
            json.put("started", time.started().toString());
        });
        if (hasLog) {
            json.put("trouble", trouble.isPresent());
        }
        trouble.ifPresent(last -> {
            Map<String, Object> words = new LinkedHashMap<>();
            words.put("kind", Names.of(last.kind()));
            words.put("nanoseconds", last.headline().nanoseconds());
            words.put("text", last.headline().text());
            json.put("lastWords", words);
        });
        json.put("running", running.entrySet().stream().map(one -> json(one.getKey(), one.getValue())).toList());
        return json;
    }

    private static Map<String, Object> json(int vcpu, Running running) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("vcpu", vcpu);
        running.task.ifPresent(owner -> {
            json.put("pid", owner.tgid);
            json.put("tid", owner.pid);
            json.put("name", owner.name);
        });
        running.function.ifPresent(function -> json.put("function", function));
        return json;
    }
}

package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.Progress;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.linux.AddressMaps;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.MemoryArea;
import dev.guestcore.linux.Task;
import dev.guestcore.linux.Tasks;
import dev.guestcore.linux.Walk;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchSummary;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * A search of the memory of each process of a Linux guest. Memory that processes share as a whole, as after vfork, is searched once;
 * single pages that they share are found in each of them.
 */
final class ProcessSearch {

    private final MemorySearch search;
    private final @Nullable AddressRange range;
    private final @Nullable Long limit;
    private final List<String> problems = new ArrayList<>();

    /**
     * A search.
     *
     * @param range the addresses to search in each process; without, all that are its own
     * @param limit how many finds are enough
     */
    ProcessSearch(MemorySearch search, @Nullable AddressRange range, @Nullable Long limit) {
        this.search = search;
        this.range = range;
        this.limit = limit;
    }

    /** The process whose memory is searched. */
    static final class Owner {

        private final Task task;
        private @Nullable Walk<MemoryArea> areas;

        Owner(Task task) {
            this.task = task;
        }

        int pid() {
            return task.pid();
        }

        String name() {
            return task.name();
        }

        /** What an address belongs to: a file, {@code [heap]}, {@code anonymous}; empty if no area of the process has it. */
        String area(long address) {
            Walk<MemoryArea> known = areas;
            if (known == null) {
                known = AddressMaps.of(task.object());
                areas = known;
            }
            return known.stream()
                    .filter(area -> Long.compareUnsigned(address - area.start(), area.end() - area.start()) < 0)
                    .findFirst()
                    .map(area -> area.name().isEmpty() ? "anonymous" : area.name())
                    .orElse("");
        }
    }

    /**
     * Runs it.
     *
     * @param printer gives what prints the finds in the memory of a process
     */
    SearchSummary run(Linux linux, BiFunction<AddressSpace, Owner, Hits> printer, Progress progress) {
        Tasks tasks = linux.tasks();
        problems.addAll(tasks.problems());
        SearchSummary total = new SearchSummary(0, OptionalLong.empty(), 0, 0, 0);
        Set<Long> seen = new HashSet<>();
        for (Task task : tasks.processes().toList()) {
            if (limit != null && total.hits() >= limit) {
                break;
            }
            Optional<Long> memory = ProcessOption.memory(task);
            if (memory.isEmpty() || !seen.add(memory.get())) {
                continue;
            }
            Optional<AddressSpace> space = task.addressSpace();
            if (space.isEmpty()) {
                problems.add(
                        "the page tables of process " + task.pid() + " cannot be found; its memory was not searched");
                continue;
            }
            total = sum(total, one(task, space.get(), total.hits(), printer, progress));
        }
        return total;
    }

    private SearchSummary one(
            Task task, AddressSpace space, long found, BiFunction<AddressSpace, Owner, Hits> printer,
            Progress progress) {
        MemorySearch part = search.in(range == null ? ProcessOption.half(space) : range);
        MemorySearch limited = limit == null ? part : part.limit(limit - found);
        return limited.virtual(space, printer.apply(space, new Owner(task))::print, progress);
    }

    private static SearchSummary sum(SearchSummary one, SearchSummary other) {
        return new SearchSummary(
                one.hits() + other.hits(),
                other.stoppedAt().isPresent() ? other.stoppedAt() : one.stoppedAt(),
                one.searchedBytes() + other.searchedBytes(),
                one.unreadableBytes() + other.unreadableBytes(),
                one.repeatedBytes() + other.repeatedBytes());
    }

    /** What could not be searched, for the user. */
    List<String> problems() {
        return problems;
    }
}

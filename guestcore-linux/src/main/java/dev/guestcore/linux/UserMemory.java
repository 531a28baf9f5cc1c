package dev.guestcore.linux;

import dev.guestcore.GuestMemory;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.error.GuestcoreException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;

/** The memory of a process, seen through its own page tables. */
final class UserMemory {

    /** Nobody reads more; execve(2) takes more, a quarter of the stack. */
    static final int MOST_TEXT = 128 << 10;

    private final KernelObject mm;
    private final AddressSpace space;
    private final GuestMemory memory;

    private UserMemory(KernelObject mm, AddressSpace space) {
        this.mm = mm;
        this.space = space;
        this.memory = space.memory();
    }

    /** The memory of a task's process; empty if it has none, or if its page tables cannot be found. */
    static Optional<UserMemory> of(Task task) {
        return known(() -> task.object().get("mm").target().flatMap(mm -> {
            AddressSpace kernel = mm.linux().image().space();
            return kernel.translate(mm.getLong("pgd"))
                    .physical()
                    .map(root -> new UserMemory(mm, kernel.withRoot(root.value())));
        }));
    }

    /** What the process's structures lead to; nothing if one of them cannot be read. */
    private static <T> Optional<T> known(Supplier<Optional<T>> look) {
        try {
            return look.get();
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }

    AddressSpace space() {
        return space;
    }

    Optional<List<String>> arguments() {
        return known(() -> words(mm.getLong("arg_start"), mm.getLong("arg_end")));
    }

    Optional<List<String>> environment() {
        return known(() -> words(mm.getLong("env_start"), mm.getLong("env_end")));
    }

    /** Whether the words of the command line are longer than what is read of them. */
    boolean argumentsCut() {
        return isCut("arg_start", "arg_end");
    }

    /** The same of the environment. */
    boolean environmentCut() {
        return isCut("env_start", "env_end");
    }

    private boolean isCut(String start, String end) {
        return known(() -> Optional.of(Long.compareUnsigned(mm.getLong(start), mm.getLong(end)) < 0
                && Long.compareUnsigned(mm.getLong(end) - mm.getLong(start), MOST_TEXT) > 0))
                .orElse(false);
    }

    /** Words that each end with a zero; a program may have written another text over them, which ends where it wants. */
    private Optional<List<String>> words(long start, long end) {
        if (Long.compareUnsigned(start, end) >= 0) {
            return start == end ? Optional.of(List.of()) : Optional.empty();
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) Math.min(end - start & Long.MAX_VALUE, MOST_TEXT)]);
        if (memory.readAvailable(start, bytes) < bytes.byteSize()) {
            return Optional.empty();
        }
        String text = new String((byte[]) bytes.heapBase().orElseThrow(), StandardCharsets.UTF_8);
        List<String> words = new ArrayList<>();
        int from = 0;
        for (int zero = text.indexOf('\0'); zero >= 0; zero = text.indexOf('\0', from)) {
            words.add(text.substring(from, zero));
            from = zero + 1;
        }
        if (from < text.length()) {
            words.add(text.substring(from));
        }
        return Optional.of(List.copyOf(words));
    }
}

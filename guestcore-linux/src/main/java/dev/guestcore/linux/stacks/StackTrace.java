package dev.guestcore.linux.stacks;

import dev.guestcore.cpu.RegisterState;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * A kernel stack, innermost frame first.
 *
 * @param frames the frames that were found, also of a broken stack
 * @param end how it ended
 * @param reason why a stack is broken or unknown, for the user; otherwise empty
 * @param user the registers with which the task left user mode, as far as the kernel saved them; empty for a stack that
 *     does not lead to user mode
 */
public record StackTrace(List<StackFrame> frames, End end, String reason, Optional<RegisterState> user) {

    /** How a stack ends. */
    public enum End {
        /** At the first function of a kernel thread or of an idle CPU. */
        KERNEL,
        /** In user mode. */
        USER,
        /** It cannot be followed further. */
        BROKEN,
        /** Nothing is known of it. */
        UNKNOWN
    }

    /** Copies the list. */
    public StackTrace {
        frames = List.copyOf(frames);
        Objects.requireNonNull(end);
        Objects.requireNonNull(reason);
        Objects.requireNonNull(user);
    }

    /** A stack of which nothing can be told. */
    public static StackTrace unknown(String reason) {
        return new StackTrace(List.of(), End.UNKNOWN, reason, Optional.empty());
    }

    /** Whether it was followed to its end. */
    public boolean isComplete() {
        return end == End.KERNEL || end == End.USER;
    }
}

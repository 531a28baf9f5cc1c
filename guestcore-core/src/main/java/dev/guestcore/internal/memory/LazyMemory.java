package dev.guestcore.internal.memory;

import dev.guestcore.ForwardingMemory;
import dev.guestcore.GuestMemory;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Memory whose index is built when it is first asked for, because that takes time and few ask. Thread-safe. */
public final class LazyMemory extends ForwardingMemory {

    private final Supplier<GuestMemory> build;
    private volatile @Nullable GuestMemory built;

    /**
     * Memory to come.
     *
     * @param build makes it, once
     */
    public LazyMemory(Supplier<GuestMemory> build) {
        this.build = build;
    }

    @Override
    protected GuestMemory memory() {
        GuestMemory known = built;
        if (known != null) {
            return known;
        }
        synchronized (this) {
            if (built == null) {
                built = build.get();
            }
            return Objects.requireNonNull(built);
        }
    }
}

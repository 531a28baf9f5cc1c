package dev.guestcore.internal.memory;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Memory whose index is built when it is first asked for, because that takes time and few ask. Thread-safe. */
public final class LazyMemory implements GuestMemory {

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

    private GuestMemory memory() {
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

    @Override
    public List<MemoryRegion> regions() {
        return memory().regions();
    }

    @Override
    public Optional<MemoryRegion> regionAt(long address) {
        return memory().regionAt(address);
    }

    @Override
    public PageRun runAt(long address) {
        return memory().runAt(address);
    }

    @Override
    public PageRun contentRunAt(long address) {
        return memory().contentRunAt(address);
    }

    @Override
    public long readAvailable(long address, MemorySegment target) {
        return memory().readAvailable(address, target);
    }

    @Override
    public Optional<MemorySegment> view(long address, long size) {
        return memory().view(address, size);
    }
}

package dev.guestcore.linux;

import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A value that is made when it is needed first. Thread-safe. */
final class Lazy<T> {

    private final Supplier<T> maker;
    private volatile @Nullable T made;

    Lazy(Supplier<T> maker) {
        this.maker = maker;
    }

    /** The value, if it was needed already. */
    Optional<T> made() {
        return Optional.ofNullable(made);
    }

    T get() {
        T ready = made;
        if (ready == null) {
            synchronized (this) {
                ready = made;
                if (ready == null) {
                    ready = maker.get();
                    made = ready;
                }
            }
        }
        return ready;
    }
}

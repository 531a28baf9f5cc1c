package dev.guestcore;

import java.util.Arrays;
import java.util.Objects;

/**
 * A vCPU context in the layout of one hypervisor, byte for byte as in the source. Immutable.
 *
 * @param kind names the layout, chosen by the format that reads and writes it ("vbox.CPUMCTX-1088")
 * @param bytes the structure; do not modify
 */
public record RawContext(String kind, byte[] bytes) {

    /** Checks for null. */
    public RawContext {
        Objects.requireNonNull(kind);
        Objects.requireNonNull(bytes);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RawContext raw && kind.equals(raw.kind) && Arrays.equals(bytes, raw.bytes);
    }

    @Override
    public int hashCode() {
        return 31 * kind.hashCode() + Arrays.hashCode(bytes);
    }

    @Override
    public String toString() {
        return kind + " (" + bytes.length + " bytes)";
    }
}

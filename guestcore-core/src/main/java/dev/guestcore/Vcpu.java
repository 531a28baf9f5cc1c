package dev.guestcore;

import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.RegisterState;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * One virtual processor at the instant of the freeze. Immutable.
 *
 * @param index the number that the hypervisor gave it, where the source says it, else its position from 0: Xen silently leaves
 *     out vCPUs that never ran. Ascending within a guest, with gaps where vCPUs were unplugged
 * @param registers what the source knows of its registers
 * @param rawContexts the source's own structures, byte for byte, for lossless rewriting
 */
public record Vcpu(int index, RegisterState registers, List<RawContext> rawContexts) implements Processor {

    /** Copies the list. */
    public Vcpu {
        Objects.requireNonNull(registers);
        rawContexts = List.copyOf(rawContexts);
    }

    /** A vCPU that has no raw context. */
    public Vcpu(int index, RegisterState registers) {
        this(index, registers, List.of());
    }

    /** The raw context of that kind, if the source had one. */
    public Optional<RawContext> rawContext(String kind) {
        return rawContexts.stream().filter(raw -> raw.kind().equals(kind)).findFirst();
    }
}

package dev.guestcore.inspect;

import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * What differs in one vCPU of two guests.
 *
 * @param position place of the vCPU in both guests' lists, from 0
 * @param registers in the architecture's order; at least one, unless the mode differs
 * @param mode the modes that both are known to be in, if one is in long mode and the other is not
 */
public record VcpuDifference(int position, List<RegisterDifference> registers, Optional<ModeDifference> mode) {

    /** Copies the list. */
    public VcpuDifference {
        registers = List.copyOf(registers);
        Objects.requireNonNull(mode);
    }

    /** Registers only. */
    public VcpuDifference(int position, List<RegisterDifference> registers) {
        this(position, registers, Optional.empty());
    }
}

package dev.guestcore.inspect;

import java.util.List;

/**
 * The registers in which one vCPU of two guests differs.
 *
 * @param position place of the vCPU in both guests' lists, from 0
 * @param registers at least one, in the architecture's order
 */
public record VcpuDifference(int position, List<RegisterDifference> registers) {

    /** Copies the list. */
    public VcpuDifference {
        registers = List.copyOf(registers);
    }
}

package dev.guestcore.internal.migration;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import java.util.Optional;

/** What the section of a vCPU (device "cpu") says. */
interface VcpuSection {

    /** The processor whose fields the section has. */
    Architecture architecture();

    /**
     * Its registers.
     *
     * @param kvm whether KVM ran the guest, which lays some of them out in another way
     */
    RegisterState.Builder registers(boolean kvm);

    /** What of the section is not among the registers, for the user; empty if nothing is lost. */
    default Optional<String> lost() {
        return Optional.empty();
    }

    /** Decodes a section; empty if its fields are those of no processor that is known. */
    static Optional<VcpuSection> read(DeviceFields fields) {
        Optional<VcpuSection> x86 = CpuSection.read(fields).map(VcpuSection.class::cast);
        return x86.or(() -> Arm64Section.read(fields))
                .or(() -> Riscv64Section.read(fields))
                .or(() -> S390xSection.read(fields));
    }
}

package dev.guestcore.internal.migration;

import dev.guestcore.Finding;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.report.Severity;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What a migration stream says beside the contents of memory. Immutable, except for the arrays, which nobody may modify.
 *
 * @param machine QEMU's machine type with its version ("pc-i440fx-7.2"), or empty if the stream does not say
 * @param architecture whose vCPUs it has; {@link Architecture#UNKNOWN} where none could be decoded
 * @param blocks memory blocks, in the stream's order
 * @param vcpus registers by QEMU's number of the vCPU, ascending; empty where they could not be decoded
 * @param vcpuNumbers QEMU's number of each of {@code vcpus}, ascending
 * @param devices names of the devices' sections, without numbers
 * @param cmos the 128 bytes of the clock chip's memory, in which a PC finds its memory size
 * @param pciConfig configuration space of PCI devices (256 bytes) by the name of the section, "0000:00:02.0/vga"
 * @param runState what the guest did when it was saved ("running", "paused")
 * @param findings damage and notes
 */
public record MachineState(
        String machine,
        Architecture architecture,
        List<RamBlock> blocks,
        List<RegisterState> vcpus,
        List<Integer> vcpuNumbers,
        Set<String> devices,
        Optional<byte[]> cmos,
        Map<String, byte[]> pciConfig,
        Optional<String> runState,
        List<Finding> findings) {

    /** Copies the collections. */
    public MachineState {
        blocks = List.copyOf(blocks);
        vcpus = List.copyOf(vcpus);
        vcpuNumbers = List.copyOf(vcpuNumbers);
        devices = Set.copyOf(devices);
        pciConfig = Map.copyOf(pciConfig);
        findings = List.copyOf(findings);
    }

    /** What the stream of a PC says whose vCPUs are numbered from 0. */
    public MachineState(
            String machine,
            List<RamBlock> blocks,
            List<RegisterState> vcpus,
            Set<String> devices,
            Optional<byte[]> cmos,
            Map<String, byte[]> pciConfig,
            Optional<String> runState,
            List<Finding> findings) {
        this(
                machine,
                Architectures.X86,
                blocks,
                vcpus,
                IntStream.range(0, vcpus.size()).boxed().toList(),
                devices,
                cmos,
                pciConfig,
                runState,
                findings);
    }

    /** Whether the whole stream was there and every device's data fitted its description. */
    public boolean isWhole() {
        return findings.stream().noneMatch(finding -> finding.severity() == Severity.DAMAGE);
    }
}

package dev.guestcore.internal.migration;

import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A board that is no PC and has its main memory in one piece (QEMU, hw/arm/virt.c, hw/arm/sbsa-ref.c, hw/riscv/virt.c,
 * hw/s390x/s390-virtio-ccw.c). Immutable.
 *
 * @param machine the machine types that it has begin so
 * @param architecture processor
 * @param ram name of the block with main memory, unless the user named it
 * @param ramBase guest-physical address of main memory
 * @param firmware addresses of blocks with firmware
 */
record Board(String machine, Architecture architecture, String ram, long ramBase, Map<String, Long> firmware) {

    private static final List<Board> KNOWN = List.of(
            new Board(
                    "virt",
                    Architectures.ARM64,
                    "mach-virt.ram",
                    0x4000_0000L,
                    Map.of("virt.flash0", 0L, "virt.flash1", 0x400_0000L)),
            new Board(
                    "virt",
                    Architectures.RISCV64,
                    "riscv_virt_board.ram",
                    0x8000_0000L,
                    Map.of(
                            "riscv_virt_board.mrom", 0x1000L,
                            "virt.flash0", 0x2000_0000L,
                            "virt.flash1", 0x2200_0000L)),
            new Board("sbsa-ref", Architectures.ARM64, "sbsa-ref.ram", 0x100_0000_0000L, Map.of()),
            new Board("s390-ccw-virtio", Architectures.S390X, "s390.ram", 0, Map.of()));

    /** The board of a stream: by its machine type if there is one and by its processor, or else by the name of its memory. */
    static Optional<Board> of(MachineState state) {
        List<Board> named = KNOWN.stream()
                .filter(board -> state.machine().isEmpty() || state.machine().startsWith(board.machine()))
                .filter(board -> state.architecture().mayBe(board.architecture()))
                .toList();
        Optional<Board> byMemory = named.stream()
                .filter(board -> state.blocks().stream().anyMatch(block -> board.ramNames().contains(block.name())))
                .findFirst();
        boolean certain = named.size() == 1 && !state.machine().isEmpty();
        return byMemory.or(() -> certain ? Optional.of(named.getFirst()) : Optional.empty());
    }

    /** How its main memory may be named. */
    List<String> ramNames() {
        return List.of(ram, "/objects/" + ram);
    }

    /** All boards, for the user. */
    static String titles() {
        return KNOWN.stream()
                .map(board -> board.machine() + " (" + board.architecture().name() + ")")
                .collect(Collectors.joining(", "));
    }
}

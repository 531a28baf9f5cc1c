package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** How a 64-bit RISC-V vCPU translates (RISC-V privileged architecture, chapter "Supervisor-Level ISA"). */
public enum Riscv64PagingMode implements PagingMode {
    /** A virtual address is the physical one. */
    BARE("bare", 0, 56, 0),
    /** Three levels. */
    SV39("sv39", 8, 39, 3),
    /** Four levels. */
    SV48("sv48", 9, 48, 4),
    /** Five levels. */
    SV57("sv57", 10, 57, 5);

    private static final int PAGE_SHIFT = 12;
    private static final int INDEX_BITS = 9;

    private final String label;
    private final int code;
    private final int virtualBits;
    private final int levels;

    Riscv64PagingMode(String label, int code, int virtualBits, int levels) {
        this.label = label;
        this.code = code;
        this.virtualBits = virtualBits;
        this.levels = levels;
    }

    /** The mode that satp.MODE names. */
    static Optional<Riscv64PagingMode> ofCode(int code) {
        return Stream.of(values()).filter(mode -> mode.code == code).findFirst();
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public String title() {
        return this == BARE ? "no paging" : "Sv" + virtualBits;
    }

    @Override
    public Architecture architecture() {
        return Riscv64Architecture.INSTANCE;
    }

    @Override
    public int virtualBits() {
        return virtualBits;
    }

    @Override
    public boolean hasTables() {
        return levels > 0;
    }

    /** What satp.MODE holds. */
    int code() {
        return code;
    }

    TableTree tree(long table) {
        return hasTables()
                ? TableTree.of(
                        TableTree.Half.BOTH,
                        virtualBits,
                        table,
                        IntStream.range(0, levels)
                                .map(depth -> levels - 1 - depth)
                                .mapToObj(number -> new TableLevel(
                                        "L" + number, number, PAGE_SHIFT + INDEX_BITS * number, 1 << INDEX_BITS))
                                .toList())
                : TableTree.untranslated(virtualBits);
    }
}

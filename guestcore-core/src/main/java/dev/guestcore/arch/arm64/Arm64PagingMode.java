package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import java.util.ArrayList;
import java.util.List;

/**
 * Size of the smallest page and width of a virtual address (Arm Architecture Reference Manual, chapter D8, "The AArch64
 * Virtual Memory System Architecture"). From 52 bits on, pages of 4 and 16 KiB have addresses in the form of FEAT_LPA2.
 *
 * @param pageShift log2 of the smallest page: 12, 14 or 16; 0 where addresses are not translated
 * @param virtualBits width of an address
 */
public record Arm64PagingMode(int pageShift, int virtualBits) implements PagingMode {

    /** The MMU is off: a virtual address is the physical one. */
    public static final Arm64PagingMode OFF = new Arm64PagingMode(0, 52);

    /** What Linux can be built for, and what tells it. */
    static final List<PagingMode> ALL = List.of(
            OFF,
            new Arm64PagingMode(12, 39),
            new Arm64PagingMode(12, 48),
            new Arm64PagingMode(12, 52),
            new Arm64PagingMode(14, 36),
            new Arm64PagingMode(14, 47),
            new Arm64PagingMode(14, 48),
            new Arm64PagingMode(14, 52),
            new Arm64PagingMode(16, 42),
            new Arm64PagingMode(16, 48),
            new Arm64PagingMode(16, 52));

    private static final int ENTRY_SHIFT = 3;
    private static final int LAST_LEVEL = 3;

    /** Whether numbers are those of a mode: at least a table, at most 52 bits. */
    static boolean exists(int pageShift, int virtualBits) {
        return virtualBits > pageShift && virtualBits <= 52;
    }

    @Override
    public String label() {
        return pageShift == 0 ? "mmu-off" : (1 << pageShift - 10) + "k-" + virtualBits;
    }

    @Override
    public String title() {
        return pageShift == 0 ? "no paging" : (1 << pageShift - 10) + " KiB " + virtualBits + "-bit";
    }

    @Override
    public Architecture architecture() {
        return Arm64Architecture.INSTANCE;
    }

    @Override
    public boolean hasTables() {
        return pageShift != 0;
    }

    @Override
    public int addressBits() {
        return Long.SIZE;
    }

    /** A tree of tables with as many levels as the width of addresses takes. */
    TableTree tree(TableTree.Half half, long table) {
        int indexBits = pageShift - ENTRY_SHIFT;
        int count = (virtualBits - pageShift + indexBits - 1) / indexBits;
        return TableTree.of(half, virtualBits, table, levels(count));
    }

    /** So many levels down to the pages; the table of the highest has what is left of the address. */
    List<TableLevel> levels(int count) {
        int indexBits = pageShift - ENTRY_SHIFT;
        List<TableLevel> levels = new ArrayList<>();
        for (int number = count - 1; number >= 0; number--) {
            int shift = pageShift + indexBits * number;
            int bits = number == count - 1 ? virtualBits - shift : indexBits;
            levels.add(new TableLevel("L" + (LAST_LEVEL - number), number, shift, 1 << bits));
        }
        return levels;
    }
}

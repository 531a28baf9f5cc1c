package dev.guestcore.arch.x86;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import java.util.ArrayList;
import java.util.List;

/** How an x86 vCPU turns virtual into physical addresses (Intel SDM volume 3, section "Paging Modes and Control Bits"). */
public enum X86PagingMode implements PagingMode {
    /** CR0.PG clear: a 32-bit linear address is the physical address. */
    NONE("none", "no paging", 32, 0, 0, ""),
    /** Two levels of 4-byte entries; 4 MiB pages with CR4.PSE. */
    TWO_LEVEL("32-bit", "32-bit", 32, Integer.BYTES, 10, "PDE PTE"),
    /** Three levels of 8-byte entries for 32-bit addresses; the first level has four entries. */
    PAE("pae", "PAE", 32, Long.BYTES, 9, "PDPTE PDE PTE"),
    /** Four levels, 48-bit virtual addresses. */
    FOUR_LEVEL("4-level", "4-level", 48, Long.BYTES, 9, "PML4E PDPTE PDE PTE"),
    /** Five levels, 57-bit virtual addresses. */
    FIVE_LEVEL("5-level", "5-level", 57, Long.BYTES, 9, "PML5E PML4E PDPTE PDE PTE");

    private static final int PAGE_SHIFT = 12;

    private final String label;
    private final String title;
    private final int virtualBits;
    private final int entryBytes;
    private final List<TableLevel> levels;

    X86PagingMode(String label, String title, int virtualBits, int entryBytes, int indexBits, String entryNames) {
        this.label = label;
        this.title = title;
        this.virtualBits = virtualBits;
        this.entryBytes = entryBytes;
        this.levels = entryNames.isEmpty() ? List.of() : levels(virtualBits, indexBits, entryNames.split(" "));
    }

    private static List<TableLevel> levels(int virtualBits, int indexBits, String[] entryNames) {
        List<TableLevel> levels = new ArrayList<>();
        for (int number = entryNames.length - 1; number >= 0; number--) {
            int shift = PAGE_SHIFT + indexBits * number;
            int bits = Math.min(indexBits, virtualBits - shift);
            levels.add(new TableLevel(entryNames[entryNames.length - 1 - number], number, shift, 1 << bits));
        }
        return List.copyOf(levels);
    }

    @Override
    public String label() {
        return label;
    }

    @Override
    public String title() {
        return title;
    }

    @Override
    public Architecture architecture() {
        return X86Architecture.INSTANCE;
    }

    @Override
    public int virtualBits() {
        return virtualBits;
    }

    @Override
    public boolean hasTables() {
        return !levels.isEmpty();
    }

    /** Bytes of a table entry, 4 or 8; 0 without paging. */
    public int entryBytes() {
        return entryBytes;
    }

    /** The levels from the root down; empty without paging. */
    public List<TableLevel> levels() {
        return levels;
    }

    /** Whether addresses are 64 bits wide. */
    public boolean isLong() {
        return virtualBits > Integer.SIZE;
    }

    /** The tree of tables below a root. */
    TableTree tree(long table) {
        return hasTables()
                ? TableTree.of(isLong() ? TableTree.Half.BOTH : TableTree.Half.LOWER, virtualBits, table, levels)
                : TableTree.untranslated(virtualBits);
    }
}

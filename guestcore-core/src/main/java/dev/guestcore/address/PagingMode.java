package dev.guestcore.address;

import java.util.List;

/** How a vCPU turns virtual into physical addresses (Intel SDM volume 3, section "Paging Modes and Control Bits"). */
public enum PagingMode {
    /** CR0.PG clear: a 32-bit linear address is the physical address. */
    NONE("no paging", 32, 0, 0, List.of()),
    /** Two levels of 4-byte entries; 4 MiB pages with CR4.PSE. */
    TWO_LEVEL("32-bit", 32, Integer.BYTES, 10, List.of(TableLevel.PD, TableLevel.PT)),
    /** Three levels of 8-byte entries for 32-bit addresses; the first level has four entries. */
    PAE("PAE", 32, Long.BYTES, 9, List.of(TableLevel.PDPT, TableLevel.PD, TableLevel.PT)),
    /** Four levels, 48-bit virtual addresses. */
    FOUR_LEVEL(
            "4-level",
            48,
            Long.BYTES,
            9,
            List.of(TableLevel.PML4, TableLevel.PDPT, TableLevel.PD, TableLevel.PT)),
    /** Five levels, 57-bit virtual addresses. */
    FIVE_LEVEL(
            "5-level",
            57,
            Long.BYTES,
            9,
            List.of(TableLevel.PML5, TableLevel.PML4, TableLevel.PDPT, TableLevel.PD, TableLevel.PT));

    private static final int PAGE_SHIFT = 12;

    private final String title;
    private final int virtualBits;
    private final int entryBytes;
    private final int indexBits;
    private final List<TableLevel> levels;

    PagingMode(String title, int virtualBits, int entryBytes, int indexBits, List<TableLevel> levels) {
        this.title = title;
        this.virtualBits = virtualBits;
        this.entryBytes = entryBytes;
        this.indexBits = indexBits;
        this.levels = levels;
    }

    /** Name for people. */
    public String title() {
        return title;
    }

    /** Bits of a virtual address that are translated: 32, 48 or 57. */
    public int virtualBits() {
        return virtualBits;
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
        return virtualBits > 32;
    }

    /**
     * Whether {@code virtual} is an address of this mode: canonical, or below 4 GiB in a 32-bit mode.
     */
    public boolean isCanonical(long virtual) {
        return isLong() ? signExtend(virtual) == virtual : virtual >>> virtualBits == 0;
    }

    /** Makes an address canonical that was put together from table indexes. */
    long signExtend(long virtual) {
        int unused = Long.SIZE - virtualBits;
        return isLong() ? virtual << unused >> unused : virtual;
    }

    /** Number of the lowest address bit that an entry of the level {@code depth} below the root decides. */
    int shift(int depth) {
        return PAGE_SHIFT + indexBits * (levels.size() - 1 - depth);
    }

    /** Number of entries of a table at that depth. */
    int entries(int depth) {
        return this == PAE && depth == 0 ? 4 : 1 << indexBits;
    }

    /** Index into the table at {@code depth} that {@code virtual} selects. */
    int index(long virtual, int depth) {
        return (int) (virtual >>> shift(depth)) & entries(depth) - 1;
    }
}

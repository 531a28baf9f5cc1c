package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.TableLevel;
import java.util.List;
import java.util.stream.Stream;

/** How an s390x vCPU translates (z/Architecture Principles of Operation, chapter 3, "Dynamic Address Translation"). */
public enum S390xPagingMode implements PagingMode {
    /** A virtual address is the real one. */
    REAL("real", "no paging", 63, -1),
    /** From a segment table: 2 GiB. */
    SEGMENT("segment", "segment-table", 31, 0),
    /** From a region-third table: 4 TiB. */
    REGION_THIRD("region-third", "region-third-table", 42, 1),
    /** From a region-second table: 8 PiB. */
    REGION_SECOND("region-second", "region-second-table", 53, 2),
    /** From a region-first table: all addresses. */
    REGION_FIRST("region-first", "region-first-table", 64, 3);

    /** Of all tables, from the highest down. */
    private static final List<TableLevel> LEVELS = List.of(
            new TableLevel("RFTE", 4, 53, 2048),
            new TableLevel("RSTE", 3, 42, 2048),
            new TableLevel("RTTE", 2, 31, 2048),
            new TableLevel("STE", 1, 20, 2048),
            new TableLevel("PTE", 0, 12, 256));

    private final String label;
    private final String title;
    private final int virtualBits;
    private final int type;

    S390xPagingMode(String label, String title, int virtualBits, int type) {
        this.label = label;
        this.title = title;
        this.virtualBits = virtualBits;
        this.type = type;
    }

    /** The mode that the type of a root table means, 0 to 3. */
    static S390xPagingMode ofType(int type) {
        return Stream.of(values()).filter(mode -> mode.type == type).findFirst().orElseThrow();
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
        return S390xArchitecture.INSTANCE;
    }

    @Override
    public int virtualBits() {
        return virtualBits;
    }

    @Override
    public boolean hasTables() {
        return type >= 0;
    }

    /** The designation type: 0 segment to 3 region-first. */
    int type() {
        return type;
    }

    /** The levels from the root down. */
    List<TableLevel> levels() {
        return LEVELS.subList(3 - type, LEVELS.size());
    }
}

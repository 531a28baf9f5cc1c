package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;

/**
 * One root of arm64 and how what is below it is read.
 *
 * @param mode size of pages, width of addresses
 * @param root TTBRn_ELx or VTTBR_EL2
 * @param wide whether addresses have 52 bits: in tables, their upper bits stand in lower ones
 * @param outputBits width of the addresses in tables
 * @param tagged whether the top byte of an address is ignored
 * @param hierarchical whether entries that point to tables restrict what is below
 */
record Arm64Stage(
        Arm64PagingMode mode, long root, boolean wide, int outputBits, boolean tagged, boolean hierarchical) {

    private static final long BASE = 0xffff_ffff_fffeL;
    private static final long UPPER_BASE = 0x3c;
    private static final int UPPER_SHIFT = 46;

    /** Address of the root table: without address-space number and CnP. */
    long table(int entries) {
        long size = Math.max(64, (long) entries * Long.BYTES);
        long low = root & BASE & -size;
        return wide ? low & ~UPPER_BASE | (root & UPPER_BASE) << UPPER_SHIFT : low;
    }

    /** ASID or VMID. */
    int number() {
        return (int) (root >>> 48);
    }

    /** The tree of the first stage. */
    TableTree tree(TableTree.Half half) {
        TableTree shape = mode.tree(half, 0);
        return TableTree.of(half, mode.virtualBits(), table(shape.levels().getFirst().entries()), shape.levels());
    }

    /** Log2 of the smallest page below which a level stands. */
    static int pageShift(TableLevel level) {
        return (level.shift() + 3 * level.number()) / (level.number() + 1);
    }

    /** Whether an entry of that level may map a block. */
    boolean hasBlocks(TableLevel level) {
        int page = mode.pageShift();
        return switch (level.number()) {
            case 1 -> true;
            case 2 -> page == 12 || wide;
            case 3 -> page == 12 && wide;
            default -> false;
        };
    }

    /** Address in an entry, before it is cut to the size of a block. */
    long address(long entry) {
        int page = mode.pageShift();
        if (wide && page == 16) {
            return entry & 0xffff_ffff_0000L | (entry & 0xf000) << 36;
        }
        if (wide) {
            return entry & (1L << 50) - (1L << page) | (entry & 0x300) << 42;
        }
        return entry & (1L << 48) - (1L << page);
    }
}

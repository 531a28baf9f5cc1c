package dev.guestcore.address;

/**
 * What the bits of a page-table entry mean, by mode and level (Intel SDM volume 3, tables "Format of ..." of the
 * chapter "Paging"). Immutable.
 *
 * <p>Bits of every present entry: 0 present, 1 writable, 2 user, 5 accessed, 6 dirty, 7 page size, 8 global (of a
 * page), 63 no-execute.
 */
final class TableEntries {

    private static final long PRESENT = 1;
    private static final long WRITABLE = 1 << 1;
    private static final long USER = 1 << 2;
    private static final long PAGE_SIZE = 1 << 7;
    private static final long GLOBAL = 1 << 8;
    private static final long NO_EXECUTE = 1L << 63;

    private static final long ADDRESS_64 = 0x000f_ffff_ffff_f000L;
    private static final long ADDRESS_32 = 0xffff_f000L;

    /**
     * Bits 1, 2 and 6 to 8 of a PDPTE of PAE paging. Bit 5 is reserved as well, but QEMU's software emulation sets it
     * on use as if it were the accessed bit of any other entry.
     */
    private static final long PAE_ROOT_RESERVED = 0x1c6;

    /** Xen lets bits 1, 2, 5 and 6 of a PV guest's be set: the processor walks them with four levels. */
    private static final long PAE_ROOT_RESERVED_XEN = 0x180;

    private final PagingMode mode;
    private final boolean largePages;
    private final boolean noExecute;
    private final boolean paravirtualized;
    private final long encryptionMask;
    private final int physicalBits;

    TableEntries(Paging paging) {
        mode = paging.mode();
        largePages = paging.largePages();
        noExecute = paging.noExecute();
        paravirtualized = paging.paravirtualized();
        encryptionMask = paging.encryptionMask();
        physicalBits = paging.physicalBits();
    }

    static boolean isPresent(long entry) {
        return (entry & PRESENT) != 0;
    }

    /** Whether a present entry maps a page; else it points to a table. */
    boolean isPage(int depth, long entry) {
        return switch (mode.levels().get(depth)) {
            case PT -> true;
            case PD -> (entry & PAGE_SIZE) != 0 && (mode != PagingMode.TWO_LEVEL || largePages);
            case PDPT -> (entry & PAGE_SIZE) != 0 && mode.isLong();
            case PML4, PML5 -> false;
        };
    }

    /** Address of the page or table that a present entry points to. */
    long address(int depth, long entry) {
        boolean page = isPage(depth, entry);
        long ofPage = page ? -1L << mode.shift(depth) : -1L;
        if (mode == PagingMode.TWO_LEVEL) {
            // PSE-36: bits 13 to 20 of a 4 MiB page's entry are bits 32 to 39 of its address.
            long high = page && mode.levels().get(depth) == TableLevel.PD ? (entry & 0x1f_e000L) << 19 : 0;
            return (entry & ADDRESS_32 & ofPage | high) & ~encryptionMask;
        }
        return entry & ADDRESS_64 & ofPage & ~encryptionMask;
    }

    /** Bits of a present entry that the processor would not accept; 0 if there is none. */
    long reservedBits(int depth, long entry) {
        return entry & reservedMask(depth, isPage(depth, entry)) & ~encryptionMask;
    }

    private long reservedMask(int depth, boolean page) {
        TableLevel level = mode.levels().get(depth);
        if (mode == PagingMode.TWO_LEVEL) {
            return page && level == TableLevel.PD ? reservedOfFourMegabytePage() : 0;
        }
        long aboveWidth = -1L << physicalBits;
        if (mode == PagingMode.PAE) {
            if (level == TableLevel.PDPT) {
                return paravirtualized
                        ? aboveWidth & ~NO_EXECUTE | PAE_ROOT_RESERVED_XEN
                        : aboveWidth | PAE_ROOT_RESERVED;
            }
            return (noExecute ? aboveWidth & ~NO_EXECUTE : aboveWidth) | insidePage(depth, page);
        }
        long mask = aboveWidth & ADDRESS_64 | (noExecute ? 0 : NO_EXECUTE) | insidePage(depth, page);
        return level == TableLevel.PML4 || level == TableLevel.PML5 ? mask | PAGE_SIZE : mask;
    }

    /**
     * Address bits that must be clear because a page begins at a multiple of its size; bit 12 is PAT in a large one.
     */
    private long insidePage(int depth, boolean page) {
        return page && mode.levels().get(depth) != TableLevel.PT ? (1L << mode.shift(depth)) - (1L << 13) : 0;
    }

    private long reservedOfFourMegabytePage() {
        int width = Math.min(physicalBits, 40);
        return (1L << 22) - (1L << 13 + width - 32);
    }

    /** The entry's own rights as bits of {@link PageRights}. */
    int rights(int depth, long entry) {
        if (mode == PagingMode.PAE && depth == 0) {
            return PageRights.ALL_BUT_GLOBAL;
        }
        int rights = 0;
        rights |= (entry & WRITABLE) != 0 ? PageRights.WRITABLE : 0;
        rights |= (entry & USER) != 0 ? PageRights.USER : 0;
        rights |= noExecute && (entry & NO_EXECUTE) != 0 ? 0 : PageRights.EXECUTABLE;
        rights |= (entry & GLOBAL) != 0 && isPage(depth, entry) ? PageRights.GLOBAL : 0;
        return rights;
    }
}

package dev.guestcore.address;

/**
 * What the page tables allow at an address, over all levels of the walk. SMEP, SMAP, CR0.WP and protection keys, which
 * depend on the access, are not applied.
 *
 * @param writable every level allows writing
 * @param executable no level forbids execution
 * @param user every level allows user mode
 * @param global the page stays in the TLB when CR3 changes
 */
public record PageRights(boolean writable, boolean executable, boolean user, boolean global) {

    static final int WRITABLE = 1;
    static final int EXECUTABLE = 2;
    static final int USER = 4;
    static final int GLOBAL = 8;
    static final int ALL_BUT_GLOBAL = WRITABLE | EXECUTABLE | USER;

    private static final PageRights[] OF_BITS = new PageRights[16];

    static {
        for (int bits = 0; bits < OF_BITS.length; bits++) {
            OF_BITS[bits] = new PageRights(
                    (bits & WRITABLE) != 0, (bits & EXECUTABLE) != 0, (bits & USER) != 0, (bits & GLOBAL) != 0);
        }
    }

    static PageRights ofBits(int bits) {
        return OF_BITS[bits];
    }

    /** Lower levels can only take away; "global" is the last level's own. */
    static int restrict(int upper, int lower) {
        return lower & (upper | GLOBAL);
    }

    /** Five letters or dashes: readable, writable, executable, user, global ("rw-u-"). */
    @Override
    public String toString() {
        return "r" + (writable ? 'w' : '-') + (executable ? 'x' : '-') + (user ? 'u' : '-') + (global ? 'g' : '-');
    }
}

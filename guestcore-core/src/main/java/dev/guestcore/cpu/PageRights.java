package dev.guestcore.cpu;

/**
 * What the page tables allow at an address, over all levels of the walk. What depends on the access or on other registers,
 * such as SMEP, SMAP and CR0.WP of x86, protection keys, PAN and WXN of arm64, or storage keys of s390x, is not applied.
 *
 * @param readable data can be read: not so for code that can only be executed
 * @param writable every level allows writing
 * @param executable no level forbids execution, be it by user mode or by the kernel
 * @param user every level allows user mode
 * @param global the page stays in the TLB when the root changes
 */
public record PageRights(boolean readable, boolean writable, boolean executable, boolean user, boolean global) {

    /** Bit of a page that can be written. */
    public static final int WRITABLE = 1;

    /** Bit of a page that the kernel can execute; where the processor does not tell the two apart, user mode as well. */
    public static final int EXECUTABLE = 2;

    /** Bit of a page for user mode. */
    public static final int USER = 4;

    /** Bit of a page that stays in the TLB. */
    public static final int GLOBAL = 8;

    /** Bit of a page that can be read. */
    public static final int READABLE = 16;

    /** Bit of a page that user mode can execute, where the processor tells that apart. */
    public static final int USER_EXECUTABLE = 32;

    /** All bits but {@link #GLOBAL}. */
    public static final int ALL_BUT_GLOBAL = READABLE | WRITABLE | EXECUTABLE | USER | USER_EXECUTABLE;

    private static final PageRights[] OF_BITS = new PageRights[64];

    static {
        for (int bits = 0; bits < OF_BITS.length; bits++) {
            boolean byUserOnly = (bits & (EXECUTABLE | USER_EXECUTABLE)) == USER_EXECUTABLE;
            OF_BITS[bits] = new PageRights(
                    (bits & READABLE) != 0,
                    (bits & WRITABLE) != 0,
                    (bits & (EXECUTABLE | USER_EXECUTABLE)) != 0,
                    (bits & USER) != 0 || byUserOnly,
                    (bits & GLOBAL) != 0);
        }
    }

    /** Rights of bits. */
    public static PageRights ofBits(int bits) {
        return OF_BITS[bits];
    }

    /** Bits that {@link #ofBits} turns into these rights. */
    public int bits() {
        return (readable ? READABLE : 0)
                | (writable ? WRITABLE : 0)
                | (executable ? EXECUTABLE : 0)
                | (user ? USER : 0)
                | (global ? GLOBAL : 0);
    }

    /** Lower levels can only take away; "global" is the last level's own. */
    public static int restrict(int upper, int lower) {
        return lower & (upper | GLOBAL);
    }

    /** Five letters or dashes: readable, writable, executable, user, global ("rw-u-"). */
    @Override
    public String toString() {
        return (readable ? "r" : "-")
                + (writable ? 'w' : '-')
                + (executable ? 'x' : '-')
                + (user ? 'u' : '-')
                + (global ? 'g' : '-');
    }
}

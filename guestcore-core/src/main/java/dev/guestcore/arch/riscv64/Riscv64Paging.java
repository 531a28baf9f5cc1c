package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.GuestcoreException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * The rules by which one 64-bit RISC-V vCPU translates, and what the bits of an entry mean (RISC-V privileged architecture,
 * chapters "Supervisor-Level ISA", "Svnapot", "Svpbmt"). A guest of a hypervisor in the guest (vsatp, hgatp) is not translated.
 *
 * <p>Bits of an entry: 0 valid, 1 to 3 read, write, execute (all clear: a table), 4 user, 5 global, 6 accessed, 7 dirty, 8 and 9
 * the guest's own, 10 to 53 page number, 61 and 62 type of memory, 63 one of 16 pages that are one of 64 KiB.
 *
 * @param mode number of levels
 * @param root satp: mode, address-space number, page number of the root table
 * @param physicalBits width of a physical address; at most 52 if stated, otherwise 56
 * @param how how the mode was derived, for the user
 */
public record Riscv64Paging(Riscv64PagingMode mode, long root, int physicalBits, String how) implements Paging {

    private static final int WIDEST = 56;
    private static final long PAGE_NUMBER = (1L << 44) - 1;
    private static final int ENTRY_NUMBER_SHIFT = 10;
    private static final int MODE_SHIFT = 60;
    private static final int ASID_SHIFT = 44;

    private static final long VALID = 1;
    private static final long READ = 1 << 1;
    private static final long WRITE = 1 << 2;
    private static final long EXECUTE = 1 << 3;
    private static final long USER = 1 << 4;
    private static final long GLOBAL = 1 << 5;
    private static final long ACCESSED = 1 << 6;
    private static final long DIRTY = 1 << 7;
    private static final long RESERVED = 0x7fL << 54;
    private static final long TYPE = 3L << 61;
    private static final long NAPOT = 1L << 63;

    /** Low bits of the page number of one of 16 pages: 1000. */
    private static final long NAPOT_MASK = 0xfL << ENTRY_NUMBER_SHIFT;

    private static final long NAPOT_64K = 0x8L << ENTRY_NUMBER_SHIFT;
    private static final long NAPOT_OFFSET = 0xf000;
    private static final int MACHINE_MODE = 3;

    /** Checks for null. */
    public Riscv64Paging {
        Objects.requireNonNull(mode);
        Objects.requireNonNull(how);
    }

    /** The value of satp with a mode and the address of a root table. */
    static long satp(Riscv64PagingMode mode, long table) {
        return (long) mode.code() << MODE_SHIFT | table >>> 12 & PAGE_NUMBER;
    }

    /** The rules that the registers set. */
    static Riscv64Paging of(Processor vcpu, TranslationOptions options) {
        RegisterState registers = vcpu.registers();
        int width =
                options.physicalBits() < TranslationOptions.defaults().physicalBits() ? options.physicalBits() : WIDEST;
        if (options.mode().isEmpty()
                && options.root().isEmpty()
                && registers.knows(Riscv64.PRIV)
                && registers.get(Riscv64.PRIV) == MACHINE_MODE) {
            return new Riscv64Paging(Riscv64PagingMode.BARE, 0, width, "machine mode does not translate");
        }
        Riscv64PagingMode stated = options.mode().map(Riscv64PagingMode.class::cast).orElse(null);
        if (stated == Riscv64PagingMode.BARE) {
            return new Riscv64Paging(stated, 0, width, "stated");
        }
        if (options.root().isEmpty() && !registers.knows(Riscv64.SATP)) {
            throw new UnknownRegisterException(
                    vcpu.index(), Riscv64.SATP, UnknownRegisterException.Missing.ROOT, "give the page-table root");
        }
        long satp = options.root().orElseGet(() -> registers.get(Riscv64.SATP));
        if (stated != null) {
            return new Riscv64Paging(stated, withCode(satp, stated), width, "stated");
        }
        return of(satp, vcpu, width, options.root().isPresent());
    }

    private static Riscv64Paging of(long satp, Processor vcpu, int width, boolean stated) {
        int code = (int) (satp >>> MODE_SHIFT);
        if (code == 0 && stated) {
            // The address of a table instead of what the register holds: then the mode is the vCPU's.
            if (!vcpu.registers().knows(Riscv64.SATP)) {
                throw new UnknownRegisterException(
                        vcpu.index(), Riscv64.SATP, UnknownRegisterException.Missing.MODE, "state the paging mode");
            }
            return of(vcpu.registers().get(Riscv64.SATP), vcpu, width, false).withRoot(satp);
        }
        Riscv64PagingMode mode = Riscv64PagingMode.ofCode(code)
                .orElseThrow(() -> new GuestcoreException("vCPU " + vcpu.index() + ": satp 0x" + Long.toHexString(satp)
                        + " has the mode " + code + ", which is none of 0, 8, 9, 10; state the paging mode"));
        String how =
                "satp.MODE is " + code + (mode.hasTables() ? ", address space " + (satp >>> ASID_SHIFT & 0xffff) : "");
        return new Riscv64Paging(mode, satp, width, how);
    }

    private static long withCode(long root, Riscv64PagingMode mode) {
        return root >>> MODE_SHIFT == 0 ? satp(mode, root) : root;
    }

    @Override
    public Riscv64Paging withRoot(long other) {
        long satp = withCode(other, mode);
        Riscv64PagingMode named = Riscv64PagingMode.ofCode((int) (satp >>> MODE_SHIFT)).orElse(mode);
        return new Riscv64Paging(named, satp, physicalBits, how);
    }

    @Override
    public Riscv64Paging because(String reason) {
        return new Riscv64Paging(mode, root, physicalBits, reason);
    }

    @Override
    public List<TableTree> trees() {
        return List.of(mode.tree((root & PAGE_NUMBER) << 12));
    }

    @Override
    public boolean isPresent(TableLevel level, long entry) {
        return (entry & VALID) != 0;
    }

    @Override
    public boolean isPage(TableLevel level, long entry) {
        return level.number() == 0 || (entry & (READ | WRITE | EXECUTE)) != 0;
    }

    @Override
    public long reservedBits(TableLevel level, long entry) {
        long reserved = entry & (RESERVED | aboveWidth());
        if ((entry & (READ | WRITE | EXECUTE)) == 0) {
            // The last level has no tables below it.
            return reserved
                    | entry & (ACCESSED | DIRTY | USER | TYPE | NAPOT)
                    | (level.number() == 0 ? VALID : 0);
        }
        if ((entry & (READ | WRITE)) == WRITE) {
            reserved |= WRITE;
        }
        if ((entry & TYPE) == TYPE) {
            reserved |= TYPE;
        }
        if ((entry & NAPOT) != 0 && (level.number() != 0 || (entry & NAPOT_MASK) != NAPOT_64K)) {
            reserved |= NAPOT;
        }
        return reserved | entry & insidePage(level);
    }

    /** Bits of the page number that must be clear because a page begins at a multiple of its size. */
    private static long insidePage(TableLevel level) {
        return (1L << level.shift() - 12) - 1 << ENTRY_NUMBER_SHIFT;
    }

    private long aboveWidth() {
        return (-1L << physicalBits - 12 & PAGE_NUMBER) << ENTRY_NUMBER_SHIFT;
    }

    @Override
    public long address(TableLevel level, long entry, long virtual) {
        long address = (entry >>> ENTRY_NUMBER_SHIFT & PAGE_NUMBER) << 12;
        return (entry & NAPOT) == 0 ? address : address & ~NAPOT_OFFSET | virtual & NAPOT_OFFSET;
    }

    @Override
    public int rights(TableLevel level, long entry, long virtual) {
        if (!isPage(level, entry)) {
            return PageRights.ALL_BUT_GLOBAL;
        }
        boolean user = (entry & USER) != 0;
        int executable = user ? PageRights.USER_EXECUTABLE : PageRights.EXECUTABLE;
        return ((entry & READ) != 0 ? PageRights.READABLE : 0)
                | ((entry & WRITE) != 0 ? PageRights.WRITABLE : 0)
                | ((entry & EXECUTE) != 0 ? executable : 0)
                | (user ? PageRights.USER : 0)
                | ((entry & GLOBAL) != 0 ? PageRights.GLOBAL : 0);
    }

    @Override
    public String attributes(TableLevel level, long entry) {
        if (!isPage(level, entry)) {
            return (entry & GLOBAL) != 0 ? "G" : "";
        }
        List<String> words = new ArrayList<>();
        if ((entry & ACCESSED) != 0) {
            words.add("A");
        }
        if ((entry & DIRTY) != 0) {
            words.add("D");
        }
        if ((entry & NAPOT) != 0) {
            words.add("NAPOT 64 KiB");
        }
        if ((entry & TYPE) != 0) {
            words.add((entry & TYPE) == 1L << 61 ? "NC" : "IO");
        }
        return String.join(" ", words);
    }

    @Override
    public String toString() {
        return mode.title() + " paging from root 0x" + Long.toHexString(root) + " (" + how + ")";
    }
}

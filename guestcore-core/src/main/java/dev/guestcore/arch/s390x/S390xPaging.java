package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The rules by which one s390x vCPU translates, and what the bits of an entry mean (z/Architecture Principles of Operation,
 * chapter 3). What tables and pages have are real addresses: the page pair at the vCPU's prefix and that at 0 are exchanged.
 *
 * <p>The root is an address-space-control element: bits 60 and 61 say which table it points to, 62 and 63 how many quarters the
 * table has, 58 that addresses are real ones. Bits are numbered as the manual does, from the most significant.
 *
 * @param mode which table is the root
 * @param root address-space-control element
 * @param largePages whether control register 0 enables segments and regions that are one page
 * @param noExecute whether control register 0 enables protection against execution
 * @param prefixAddress the vCPU's prefix; 0 if it is not known
 * @param how how the mode was derived, for the user
 */
public record S390xPaging(
        S390xPagingMode mode, long root, boolean largePages, boolean noExecute, long prefixAddress, String how)
        implements Paging {

    private static final long ORIGIN = -1L << 12;
    private static final long PAGE_TABLE_ORIGIN = -1L << 11;
    private static final long REAL_SPACE = 0x20;
    private static final long TYPE = 0xc;
    private static final int TYPE_SHIFT = 2;
    private static final int LENGTH = 3;
    private static final int QUARTER = 512;
    private static final int OFFSET_SHIFT = 6;

    private static final long INVALID = 0x20;
    private static final long INVALID_PAGE = 0x400;
    private static final long FORMAT = 0x400;
    private static final long PROTECTED = 0x200;
    private static final long NO_EXECUTE = 0x100;
    private static final long COMMON = 0x10;
    private static final long MUST_BE_ZERO = 0x800;
    private static final int SEGMENT = 1;
    private static final int REGION_THIRD = 2;

    private static final int ADDRESS_SPACE_SHIFT = 46;
    private static final long DAT = 1L << 63 - 5;
    private static final long EDAT = 1L << 63 - 40;
    private static final long EXECUTION_PROTECTION = 1L << 63 - 43;

    /** Control registers with the roots, by the address-space control of the program-status word. */
    private static final int[] ROOTS = {1, 1, 7, 13};

    private static final String[] SPACES = {"primary", "access-register", "secondary", "home"};
    private static final long PREFIX_SIZE = 8192;
    private static final long PREFIX_MASK = 0x7fff_e000;

    /** Checks for null. */
    public S390xPaging {
        Objects.requireNonNull(mode);
        Objects.requireNonNull(how);
    }

    /** The rules that the registers set. */
    static S390xPaging of(Processor vcpu, TranslationOptions options) {
        RegisterState registers = vcpu.registers();
        long cr0 = registers.getOrElse(S390x.control(0), EDAT | EXECUTION_PROTECTION);
        long prefix = registers.getOrElse(S390x.PREFIX, 0) & PREFIX_MASK;
        S390xPagingMode stated = options.mode().map(S390xPagingMode.class::cast).orElse(null);
        boolean large = (cr0 & EDAT) != 0;
        boolean noExecute = (cr0 & EXECUTION_PROTECTION) != 0;
        if (stated == S390xPagingMode.REAL) {
            return new S390xPaging(stated, 0, large, noExecute, prefix, "stated");
        }
        if (options.root().isPresent()) {
            return named(options.root().getAsLong(), stated, large, noExecute, prefix, "stated");
        }
        if (!registers.knows(S390x.PSWM)) {
            throw new UnknownRegisterException(
                    vcpu.index(), S390x.PSWM, UnknownRegisterException.Missing.ROOT, "give the page-table root");
        }
        long mask = registers.get(S390x.PSWM);
        if ((mask & DAT) == 0 && stated == null) {
            return new S390xPaging(S390xPagingMode.REAL, 0, large, noExecute, prefix, "psw.DAT is clear");
        }
        int space = (int) (mask >>> ADDRESS_SPACE_SHIFT) & 3;
        int number = ROOTS[space];
        if (!registers.knows(S390x.control(number))) {
            throw new UnknownRegisterException(
                    vcpu.index(),
                    S390x.control(number),
                    UnknownRegisterException.Missing.ROOT,
                    "give the page-table root");
        }
        String how = SPACES[space] + " space of the program-status word, cr" + number;
        return named(registers.get(S390x.control(number)), stated, large, noExecute, prefix, how);
    }

    /** Rules of a root, in which the mode is named unless it is stated. */
    static S390xPaging named(
            long root,
            @Nullable S390xPagingMode stated,
            boolean largePages,
            boolean noExecute,
            long prefix,
            String how) {
        S390xPagingMode mode = (root & REAL_SPACE) != 0
                ? S390xPagingMode.REAL
                : S390xPagingMode.ofType((int) (root & TYPE) >>> TYPE_SHIFT);
        if (stated != null && stated != mode) {
            long typed = root & ORIGIN | (long) stated.type() << TYPE_SHIFT | LENGTH;
            return new S390xPaging(stated, typed, largePages, noExecute, prefix, how);
        }
        return new S390xPaging(mode, root, largePages, noExecute, prefix, how);
    }

    @Override
    public S390xPaging withRoot(long other) {
        return named(other, null, largePages, noExecute, prefixAddress, how);
    }

    @Override
    public S390xPaging because(String reason) {
        return new S390xPaging(mode, root, largePages, noExecute, prefixAddress, reason);
    }

    @Override
    public List<TableTree> trees() {
        if (!mode.hasTables()) {
            return List.of(TableTree.untranslated(mode.virtualBits()));
        }
        int last = (int) ((root & LENGTH) + 1) * QUARTER - 1;
        return List.of(new TableTree(
                TableTree.Half.LOWER, mode.virtualBits(), root & ORIGIN, mode.levels(), 0, last));
    }

    @Override
    public ByteOrder tableOrder() {
        return ByteOrder.BIG_ENDIAN;
    }

    @Override
    public Optional<Prefix> prefix() {
        return prefixAddress == 0 ? Optional.empty() : Optional.of(new Prefix(prefixAddress, PREFIX_SIZE));
    }

    @Override
    public boolean isPresent(TableLevel level, long entry) {
        return (entry & (level.number() == 0 ? INVALID_PAGE : INVALID)) == 0;
    }

    @Override
    public boolean isPage(TableLevel level, long entry) {
        return level.number() == 0
                || level.number() <= REGION_THIRD && largePages && (entry & FORMAT) != 0;
    }

    @Override
    public long reservedBits(TableLevel level, long entry) {
        if (level.number() == 0) {
            return entry & MUST_BE_ZERO;
        }
        long type = entry & TYPE;
        long expected = (long) (level.number() - 1) << TYPE_SHIFT;
        // An entry says which table it is of; bits that are clear but should be set are wrong as well.
        return type ^ expected;
    }

    @Override
    public long address(TableLevel level, long entry, long virtual) {
        if (isPage(level, entry)) {
            return entry & -1L << level.shift();
        }
        return entry & (level.number() == SEGMENT ? PAGE_TABLE_ORIGIN : ORIGIN);
    }

    @Override
    public int firstIndex(TableLevel below, long entry) {
        return below.number() == 0 ? 0 : (int) (entry >>> OFFSET_SHIFT & LENGTH) * QUARTER;
    }

    @Override
    public int lastIndex(TableLevel below, long entry) {
        return below.number() == 0 ? below.entries() - 1 : (int) ((entry & LENGTH) + 1) * QUARTER - 1;
    }

    /** User mode is not told apart here: a process has tables of its own, and storage keys protect the rest. */
    @Override
    public int rights(TableLevel level, long entry, long virtual) {
        int rights = PageRights.ALL_BUT_GLOBAL;
        if ((entry & PROTECTED) != 0) {
            rights &= ~PageRights.WRITABLE;
        }
        if (isPage(level, entry) && noExecute && (entry & NO_EXECUTE) != 0) {
            rights &= ~(PageRights.EXECUTABLE | PageRights.USER_EXECUTABLE);
        }
        return rights;
    }

    @Override
    public String attributes(TableLevel level, long entry) {
        List<String> words = new ArrayList<>();
        if ((entry & PROTECTED) != 0) {
            words.add("P");
        }
        if (level.number() == SEGMENT && (entry & COMMON) != 0) {
            words.add("common");
        }
        if (isPage(level, entry) && (entry & NO_EXECUTE) != 0) {
            words.add("IEP");
        }
        return String.join(" ", words);
    }

    @Override
    public String toString() {
        return mode.title() + " paging from root 0x" + Long.toHexString(root) + ", prefix 0x"
                + Long.toHexString(prefixAddress) + " (" + how + ")";
    }
}

package dev.guestcore.arch.x86;

import dev.guestcore.cpu.PageRights;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.Processor;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TableLevel;
import dev.guestcore.cpu.TableTree;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.UnknownRegisterException;
import dev.guestcore.error.GuestcoreException;
import java.util.List;
import java.util.Objects;

/**
 * The rules by which one x86 vCPU translates, as its control registers set them, and what the bits of an entry mean. Bits are
 * those of the Intel SDM, volume 3, sections "Control Registers", "Paging" with the tables "Format of ...", and of the AMD64
 * manual, volume 2, chapter 5.
 *
 * <p>Bits of every present entry: 0 present, 1 writable, 2 user, 5 accessed, 6 dirty, 7 page size, 8 global (of a page),
 * 63 no-execute.
 *
 * @param mode number of levels and their shape
 * @param root CR3: address of the root table, and flag bits that are no part of it
 * @param largePages whether CR4.PSE is set, which only matters to two-level paging
 * @param noExecute whether bit 63 of an entry forbids execution; where false, it is reserved
 * @param paravirtualized whether Xen checks the tables, which hold machine frames
 * @param encryptionMask address bits that are no part of the address
 * @param physicalBits width of a physical address
 * @param how how the mode was derived, for the user
 */
public record X86Paging(
        X86PagingMode mode,
        long root,
        boolean largePages,
        boolean noExecute,
        boolean paravirtualized,
        long encryptionMask,
        int physicalBits,
        String how)
        implements Paging {

    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PSE = 1L << 4;
    private static final long CR4_PAE = 1L << 5;
    private static final long CR4_LA57 = 1L << 12;
    private static final long EFER_NXE = 1L << 11;

    private static final long PRESENT = 1;
    private static final long WRITABLE = 1 << 1;
    private static final long USER = 1 << 2;
    private static final long PAGE_SIZE = 1 << 7;
    private static final long GLOBAL = 1 << 8;
    private static final long NO_EXECUTE = 1L << 63;

    private static final long ADDRESS_64 = 0x000f_ffff_ffff_f000L;
    private static final long ADDRESS_32 = 0xffff_f000L;

    /** Numbers of levels. */
    private static final int PT = 0;

    private static final int PD = 1;
    private static final int PDPT = 2;

    /**
     * Bits 1, 2 and 6 to 8 of a PDPTE of PAE paging. Bit 5 is reserved as well, but QEMU's software emulation sets it
     * on use as if it were the accessed bit of any other entry.
     */
    private static final long PAE_ROOT_RESERVED = 0x1c6;

    /** Xen lets bits 1, 2, 5 and 6 of a PV guest's be set: the processor walks them with four levels. */
    private static final long PAE_ROOT_RESERVED_XEN = 0x180;

    /** Checks for null. */
    public X86Paging {
        Objects.requireNonNull(mode);
        Objects.requireNonNull(how);
    }

    /** Rules of a kernel of 64 bits, as its own page tables have them. */
    public static X86Paging ofKernel(X86PagingMode mode, long root, long encryptionMask, int physicalBits, String how) {
        return new X86Paging(mode, root, true, true, false, encryptionMask, physicalBits, how);
    }

    /** Address of the root table, without the flags that CR3 holds beside it. */
    public long rootTable() {
        long flags = mode == X86PagingMode.PAE ? 0x1f : 0xfff;
        long width = (1L << (mode.isLong() || paravirtualized ? 52 : 32)) - 1;
        return root & width & ~flags & ~encryptionMask;
    }

    @Override
    public X86Paging withRoot(long cr3) {
        return new X86Paging(
                mode, cr3, largePages, noExecute, paravirtualized, encryptionMask, physicalBits, how);
    }

    @Override
    public X86Paging because(String reason) {
        return new X86Paging(
                mode, root, largePages, noExecute, paravirtualized, encryptionMask, physicalBits, reason);
    }

    @Override
    public List<TableTree> trees() {
        return List.of(mode.tree(rootTable()));
    }

    @Override
    public int entryBytes() {
        return mode.entryBytes();
    }

    /** The rules of a Xen PV guest: Xen, not the guest, sets the mode. */
    public static X86Paging ofParavirtualized(Processor vcpu, int guestWidth, TranslationOptions options) {
        X86PagingMode mode = stated(options, guestWidth == Long.BYTES ? X86PagingMode.FOUR_LEVEL : X86PagingMode.PAE);
        String how = "Xen PV guest of " + guestWidth * Byte.SIZE + " bits";
        return new X86Paging(
                mode, root(vcpu, options), true, true, true, options.encryptionMask(), options.physicalBits(), how);
    }

    private static X86PagingMode stated(TranslationOptions options, X86PagingMode otherwise) {
        return options.mode().isPresent() && options.mode().get() instanceof X86PagingMode mode ? mode : otherwise;
    }

    /**
     * The rules that the registers set.
     *
     * @param all the guest's vCPUs, which show the mode where the registers of {@code vcpu} leave it open
     */
    static X86Paging of(Processor vcpu, List<? extends Processor> all, TranslationOptions options) {
        RegisterState registers = vcpu.registers();
        Conclusion conclusion = options.mode().isPresent()
                ? new Conclusion(stated(options, X86PagingMode.NONE), "stated")
                : conclude(vcpu, X86Mode.of(vcpu, all));
        X86PagingMode mode = conclusion.mode();
        long root = mode.hasTables() ? root(vcpu, options) : 0;
        boolean largePages = (registers.getOrElse(X86.CR4, CR4_PSE) & CR4_PSE) != 0;
        boolean noExecute = mode.entryBytes() == Long.BYTES
                && (registers.getOrElse(X86.EFER, EFER_NXE) & EFER_NXE) != 0;
        return new X86Paging(
                mode,
                root,
                largePages,
                noExecute,
                false,
                options.encryptionMask(),
                options.physicalBits(),
                conclusion.how());
    }

    private static long root(Processor vcpu, TranslationOptions options) {
        return options.root().orElseGet(
                () -> require(vcpu, X86.CR3, UnknownRegisterException.Missing.ROOT, "give the page-table root"));
    }

    private record Conclusion(X86PagingMode mode, String how) {}

    private static Conclusion conclude(Processor vcpu, X86Mode x86) {
        RegisterState registers = vcpu.registers();
        boolean known = registers.knows(X86.CR0) || !x86.isLong();
        if (known && !impliesPaging(x86, registers)) {
            long cr0 = requireForMode(vcpu, X86.CR0);
            if ((cr0 & CR0_PG) == 0) {
                return new Conclusion(X86PagingMode.NONE, "cr0.PG is clear");
            }
        }
        long cr4 = requireForMode(vcpu, X86.CR4);
        boolean pae = (cr4 & CR4_PAE) != 0;
        if (!pae && !impliesPaging(x86, registers)) {
            if (x86.isLong()) {
                throw new GuestcoreException("vCPU " + vcpu.index() + ": registers contradict each other: efer "
                        + registers.hex(X86.EFER) + " says long mode, cr4 " + registers.hex(X86.CR4)
                        + " has PAE clear; state the paging mode");
            }
            return new Conclusion(X86PagingMode.TWO_LEVEL, "cr0.PG is set, cr4.PAE clear");
        }
        return switch (x86.width()) {
            case LONG -> (cr4 & CR4_LA57) != 0
                    ? new Conclusion(X86PagingMode.FIVE_LEVEL, x86.how() + ", cr4.LA57 is set")
                    : new Conclusion(X86PagingMode.FOUR_LEVEL, x86.how() + ", cr4.LA57 is clear");
            case LEGACY -> new Conclusion(X86PagingMode.PAE, "cr4.PAE is set, efer.LMA clear");
            case UNKNOWN ->
                    throw new UnknownRegisterException(
                            vcpu.index(),
                            X86.EFER,
                            UnknownRegisterException.Missing.MODE,
                            "state the paging mode: PAE or 4-level");
        };
    }

    /** Whether a register shows long mode that the control registers rule out: it could not hold its value otherwise. */
    private static boolean impliesPaging(X86Mode x86, RegisterState registers) {
        return x86.isLong() && (registers.getOrElse(X86.EFER, 0) & X86Mode.EFER_LMA) == 0;
    }

    private static long requireForMode(Processor vcpu, X86 register) {
        return require(vcpu, register, UnknownRegisterException.Missing.MODE, "state the paging mode");
    }

    private static long require(
            Processor vcpu, X86 register, UnknownRegisterException.Missing missing, String remedy) {
        if (!vcpu.registers().knows(register)) {
            throw new UnknownRegisterException(vcpu.index(), register, missing, remedy);
        }
        return vcpu.registers().get(register);
    }

    @Override
    public boolean isPresent(TableLevel level, long entry) {
        return (entry & PRESENT) != 0;
    }

    @Override
    public boolean isPage(TableLevel level, long entry) {
        return switch (level.number()) {
            case PT -> true;
            case PD -> (entry & PAGE_SIZE) != 0 && (mode != X86PagingMode.TWO_LEVEL || largePages);
            case PDPT -> (entry & PAGE_SIZE) != 0 && mode.isLong();
            default -> false;
        };
    }

    @Override
    public long address(TableLevel level, long entry, long virtual) {
        boolean page = isPage(level, entry);
        long ofPage = page ? -1L << level.shift() : -1L;
        if (mode == X86PagingMode.TWO_LEVEL) {
            // PSE-36: bits 13 to 20 of a 4 MiB page's entry are bits 32 to 39 of its address.
            long high = page && level.number() == PD ? (entry & 0x1f_e000L) << 19 : 0;
            return (entry & ADDRESS_32 & ofPage | high) & ~encryptionMask;
        }
        return entry & ADDRESS_64 & ofPage & ~encryptionMask;
    }

    @Override
    public long reservedBits(TableLevel level, long entry) {
        return entry & reservedMask(level, isPage(level, entry)) & ~encryptionMask;
    }

    private long reservedMask(TableLevel level, boolean page) {
        if (mode == X86PagingMode.TWO_LEVEL) {
            return page && level.number() == PD ? reservedOfFourMegabytePage() : 0;
        }
        long aboveWidth = -1L << physicalBits;
        if (mode == X86PagingMode.PAE) {
            if (level.number() == PDPT) {
                return paravirtualized
                        ? aboveWidth & ~NO_EXECUTE | PAE_ROOT_RESERVED_XEN
                        : aboveWidth | PAE_ROOT_RESERVED;
            }
            return (noExecute ? aboveWidth & ~NO_EXECUTE : aboveWidth) | insidePage(level, page);
        }
        long mask = aboveWidth & ADDRESS_64 | (noExecute ? 0 : NO_EXECUTE) | insidePage(level, page);
        return level.number() > PDPT ? mask | PAGE_SIZE : mask;
    }

    /**
     * Address bits that must be clear because a page begins at a multiple of its size; bit 12 is PAT in a large one.
     */
    private static long insidePage(TableLevel level, boolean page) {
        return page && level.number() != PT ? (1L << level.shift()) - (1L << 13) : 0;
    }

    private long reservedOfFourMegabytePage() {
        int width = Math.min(physicalBits, 40);
        return (1L << 22) - (1L << 13 + width - 32);
    }

    @Override
    public int rights(TableLevel level, long entry, long virtual) {
        if (mode == X86PagingMode.PAE && level.number() == PDPT) {
            return PageRights.ALL_BUT_GLOBAL;
        }
        int rights = PageRights.READABLE;
        rights |= (entry & WRITABLE) != 0 ? PageRights.WRITABLE : 0;
        rights |= (entry & USER) != 0 ? PageRights.USER : 0;
        rights |= noExecute && (entry & NO_EXECUTE) != 0 ? 0 : PageRights.EXECUTABLE;
        rights |= (entry & GLOBAL) != 0 && isPage(level, entry) ? PageRights.GLOBAL : 0;
        return rights;
    }

    @Override
    public String toString() {
        return mode.title() + " paging from root 0x" + Long.toHexString(root)
                + (encryptionMask == 0 ? "" : ", encryption mask 0x" + Long.toHexString(encryptionMask)) + " (" + how
                + ")";
    }
}

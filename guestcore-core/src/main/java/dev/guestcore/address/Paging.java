package dev.guestcore.address;

import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86Mode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.GuestcoreException;
import java.util.List;
import java.util.Objects;

/**
 * The rules by which one vCPU translates, as its control registers set them. Bits are those of the Intel SDM, volume 3,
 * sections "Control Registers", "Paging" and of the AMD64 manual, volume 2, chapter 5.
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
public record Paging(
        PagingMode mode,
        long root,
        boolean largePages,
        boolean noExecute,
        boolean paravirtualized,
        long encryptionMask,
        int physicalBits,
        String how) {

    private static final long CR0_PG = 1L << 31;
    private static final long CR4_PSE = 1L << 4;
    private static final long CR4_PAE = 1L << 5;
    private static final long CR4_LA57 = 1L << 12;
    private static final long EFER_NXE = 1L << 11;

    /** Checks for null. */
    public Paging {
        Objects.requireNonNull(mode);
        Objects.requireNonNull(how);
    }

    /** Address of the root table, without the flags that CR3 holds beside it. */
    public long rootTable() {
        long flags = mode == PagingMode.PAE ? 0x1f : 0xfff;
        long width = (1L << (mode.isLong() || paravirtualized ? 52 : 32)) - 1;
        return root & width & ~flags & ~encryptionMask;
    }

    /** The same rules from another root. */
    public Paging withRoot(long cr3) {
        return new Paging(
                mode, cr3, largePages, noExecute, paravirtualized, encryptionMask, physicalBits, how);
    }

    /** The rules of a Xen PV guest: Xen, not the guest, sets the mode. */
    static Paging ofParavirtualized(Vcpu vcpu, int guestWidth, TranslationOptions options) {
        PagingMode mode = options.mode().orElse(guestWidth == Long.BYTES ? PagingMode.FOUR_LEVEL : PagingMode.PAE);
        String how = "Xen PV guest of " + guestWidth * Byte.SIZE + " bits";
        return new Paging(
                mode, root(vcpu, options), true, true, true, options.encryptionMask(), options.physicalBits(), how);
    }

    /**
     * The rules that the registers set.
     *
     * @param all the guest's vCPUs, which show the mode where the registers of {@code vcpu} leave it open
     */
    static Paging of(Vcpu vcpu, List<Vcpu> all, TranslationOptions options) {
        RegisterState registers = vcpu.registers();
        Conclusion conclusion = options.mode()
                .map(stated -> new Conclusion(stated, "stated"))
                .orElseGet(() -> conclude(vcpu, X86Mode.of(vcpu, all)));
        PagingMode mode = conclusion.mode();
        long root = mode == PagingMode.NONE ? 0 : root(vcpu, options);
        boolean largePages = (registers.getOrElse(X86.CR4, CR4_PSE) & CR4_PSE) != 0;
        boolean noExecute = mode.entryBytes() == Long.BYTES
                && (registers.getOrElse(X86.EFER, EFER_NXE) & EFER_NXE) != 0;
        return new Paging(
                mode,
                root,
                largePages,
                noExecute,
                false,
                options.encryptionMask(),
                options.physicalBits(),
                conclusion.how());
    }

    private static long root(Vcpu vcpu, TranslationOptions options) {
        return options.root().orElseGet(() -> require(vcpu, X86.CR3, "give the page-table root"));
    }

    private record Conclusion(PagingMode mode, String how) {}

    private static Conclusion conclude(Vcpu vcpu, X86Mode x86) {
        RegisterState registers = vcpu.registers();
        boolean known = registers.knows(X86.CR0) || !x86.isLong();
        if (known && !impliesPaging(x86, registers)) {
            long cr0 = require(vcpu, X86.CR0, "state the paging mode");
            if ((cr0 & CR0_PG) == 0) {
                return new Conclusion(PagingMode.NONE, "cr0.PG is clear");
            }
        }
        long cr4 = require(vcpu, X86.CR4, "state the paging mode");
        boolean pae = (cr4 & CR4_PAE) != 0;
        if (!pae && !impliesPaging(x86, registers)) {
            if (x86.isLong()) {
                throw new GuestcoreException("vCPU " + vcpu.index() + ": registers contradict each other: efer "
                        + registers.hex(X86.EFER) + " says long mode, cr4 " + registers.hex(X86.CR4)
                        + " has PAE clear; state the paging mode");
            }
            return new Conclusion(PagingMode.TWO_LEVEL, "cr0.PG is set, cr4.PAE clear");
        }
        return switch (x86.width()) {
            case LONG -> (cr4 & CR4_LA57) != 0
                    ? new Conclusion(PagingMode.FIVE_LEVEL, x86.how() + ", cr4.LA57 is set")
                    : new Conclusion(PagingMode.FOUR_LEVEL, x86.how() + ", cr4.LA57 is clear");
            case LEGACY -> new Conclusion(PagingMode.PAE, "cr4.PAE is set, efer.LMA clear");
            case UNKNOWN ->
                throw new UnknownRegisterException(vcpu.index(), X86.EFER, "state the paging mode: PAE or 4-level");
        };
    }

    /** Whether a register shows long mode that the control registers rule out: it could not hold its value otherwise. */
    private static boolean impliesPaging(X86Mode x86, RegisterState registers) {
        return x86.isLong() && (registers.getOrElse(X86.EFER, 0) & X86Mode.EFER_LMA) == 0;
    }

    private static long require(Vcpu vcpu, X86 register, String remedy) {
        if (!vcpu.registers().knows(register)) {
            throw new UnknownRegisterException(vcpu.index(), register, remedy);
        }
        return vcpu.registers().get(register);
    }

    @Override
    public String toString() {
        return mode.title() + " paging from root 0x" + Long.toHexString(root)
                + (encryptionMask == 0 ? "" : ", encryption mask 0x" + Long.toHexString(encryptionMask)) + " (" + how + ")";
    }
}

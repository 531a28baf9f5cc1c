package dev.guestcore.internal.xen;

import dev.guestcore.arch.x86.X86;
import java.util.List;

/**
 * Where registers lie in Xen's struct vcpu_guest_context (docs/formats/xen-dump-core.md, section 4). Little-endian. The
 * FXSAVE area is at offset 0, flags behind it at 512. {@code cr3} and the GS bases are in the table too, but need the
 * translation that {@link VcpuContext} makes.
 */
public enum ContextLayout {
    /** The 64-bit form, also of HVM guests in any mode. */
    X86_64(
            "xen.vcpu_guest_context.x86_64",
            5168,
            8,
            List.of(
                    new Field(X86.R15, 520, 8),
                    new Field(X86.R14, 528, 8),
                    new Field(X86.R13, 536, 8),
                    new Field(X86.R12, 544, 8),
                    new Field(X86.RBP, 552, 8),
                    new Field(X86.RBX, 560, 8),
                    new Field(X86.R11, 568, 8),
                    new Field(X86.R10, 576, 8),
                    new Field(X86.R9, 584, 8),
                    new Field(X86.R8, 592, 8),
                    new Field(X86.RAX, 600, 8),
                    new Field(X86.RCX, 608, 8),
                    new Field(X86.RDX, 616, 8),
                    new Field(X86.RSI, 624, 8),
                    new Field(X86.RDI, 632, 8),
                    new Field(X86.RIP, 648, 8),
                    new Field(X86.CS, 656, 2),
                    new Field(X86.RFLAGS, 664, 8),
                    new Field(X86.RSP, 672, 8),
                    new Field(X86.SS, 680, 2),
                    new Field(X86.ES, 688, 2),
                    new Field(X86.DS, 696, 2),
                    new Field(X86.FS, 704, 2),
                    new Field(X86.GS, 712, 2),
                    new Field(X86.CR0, 4984, 8),
                    new Field(X86.CR2, 5000, 8),
                    new Field(X86.CR3, 5008, 8),
                    new Field(X86.CR4, 5016, 8),
                    new Field(X86.DR0, 5048, 8),
                    new Field(X86.DR1, 5056, 8),
                    new Field(X86.DR2, 5064, 8),
                    new Field(X86.DR3, 5072, 8),
                    new Field(X86.DR6, 5096, 8),
                    new Field(X86.DR7, 5104, 8),
                    new Field(X86.FS_BASE, 5144, 8))),
    /** The 32-bit form: 32-bit PV guests, and everything on a 32-bit hypervisor. */
    X86_32(
            "xen.vcpu_guest_context.x86_32",
            2800,
            4,
            List.of(
                    new Field(X86.RBX, 516, 4),
                    new Field(X86.RCX, 520, 4),
                    new Field(X86.RDX, 524, 4),
                    new Field(X86.RSI, 528, 4),
                    new Field(X86.RDI, 532, 4),
                    new Field(X86.RBP, 536, 4),
                    new Field(X86.RAX, 540, 4),
                    new Field(X86.RIP, 548, 4),
                    new Field(X86.CS, 552, 2),
                    new Field(X86.RFLAGS, 556, 4),
                    new Field(X86.RSP, 560, 4),
                    new Field(X86.SS, 564, 2),
                    new Field(X86.ES, 568, 2),
                    new Field(X86.DS, 572, 2),
                    new Field(X86.FS, 576, 2),
                    new Field(X86.GS, 580, 2),
                    new Field(X86.CR0, 2716, 4),
                    new Field(X86.CR2, 2724, 4),
                    new Field(X86.CR3, 2728, 4),
                    new Field(X86.CR4, 2732, 4),
                    new Field(X86.DR0, 2748, 4),
                    new Field(X86.DR1, 2752, 4),
                    new Field(X86.DR2, 2756, 4),
                    new Field(X86.DR3, 2760, 4),
                    new Field(X86.DR6, 2772, 4),
                    new Field(X86.DR7, 2776, 4)));

    /** flags: the FXSAVE area holds the guest's state. */
    public static final int FLAG_I387_VALID = 1;
    /** flags: a PV guest is in its kernel. */
    public static final int FLAG_IN_KERNEL = 1 << 2;
    /** flags: the vCPU is online. */
    public static final int FLAG_ONLINE = 1 << 5;

    /** Offset of flags in both forms. */
    public static final int FLAGS = 512;
    /** Offset of gs_base_kernel in the 64-bit form. */
    public static final int GS_BASE_KERNEL = 5152;
    /** Offset of gs_base_user in the 64-bit form. */
    public static final int GS_BASE_USER = 5160;

    /** Since Xen 4.0 an element is a union of both forms. */
    public static final int ELEMENT = 5168;

    private final String kind;
    private final int size;
    private final int word;
    private final List<Field> fields;

    ContextLayout(String kind, int size, int word, List<Field> fields) {
        this.kind = kind;
        this.size = size;
        this.word = word;
        this.fields = fields;
    }

    /** Kind of the raw context. */
    public String kind() {
        return kind;
    }

    /** Size of the structure in bytes. */
    public int size() {
        return size;
    }

    /** Width of a word, and of flags, in bytes. */
    public int word() {
        return word;
    }

    /** The fields that are registers. */
    public List<Field> fields() {
        return fields;
    }

    /**
     * A field.
     *
     * @param register what it holds
     * @param offset from the start of the structure
     * @param width in bytes
     */
    public record Field(X86 register, int offset, int width) {}
}

package dev.guestcore.internal.elf;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The descriptor of QEMU's own note about one x86 vCPU ("QEMU", type 0), version 1. Little-endian; source: docs/formats/elf.md.
 *
 * <pre>
 *    0 version u32    4 size of the structure u32
 *    8 rax rbx rcx rdx rsi rdi rsp rbp r8 ... r15 rip rflags, u64 each
 *  152 cs ds es fs gs ss ldtr tr gdtr idtr, 24 bytes each:
 *        0 selector u32   4 limit u32   8 flags u32   12 zero   16 base u64
 *  392 cr0 cr1 cr2 cr3 cr4, u64 each
 *  432 kernel_gs_base u64, since QEMU 3.0; before that the structure ends here
 * </pre>
 *
 * <p>The flags are the second word of the segment descriptor with base and limit bits in it; bits 8..23 without the limit
 * are our attributes. QEMU has no mark for an unusable segment: there, P is 0.
 */
public final class QemuCpuState {

    /** Size of the structure. */
    public static final int SIZE = 440;

    private static final int SIZE_BEFORE_KERNEL_GS = 432;
    private static final int GENERAL = 8;
    private static final int SEGMENTS = 152;
    private static final int SEGMENT_SIZE = 24;
    private static final int CONTROL = 392;
    private static final int KERNEL_GS = 432;
    private static final long ATTRIBUTES = 0xf0ff;
    private static final long PRESENT = 1 << 7;
    private static final long UNUSABLE = 1 << 16;

    private static final List<X86> GENERAL_ORDER = List.of(
            X86.RAX, X86.RBX, X86.RCX, X86.RDX, X86.RSI, X86.RDI, X86.RSP, X86.RBP, X86.R8, X86.R9, X86.R10, X86.R11,
            X86.R12, X86.R13, X86.R14, X86.R15, X86.RIP, X86.RFLAGS);

    private record Segment(X86 selector, X86 base, X86 limit, X86 attributes) {}

    private static final List<Segment> SEGMENT_ORDER = List.of(
            new Segment(X86.CS, X86.CS_BASE, X86.CS_LIMIT, X86.CS_ATTRIBUTES),
            new Segment(X86.DS, X86.DS_BASE, X86.DS_LIMIT, X86.DS_ATTRIBUTES),
            new Segment(X86.ES, X86.ES_BASE, X86.ES_LIMIT, X86.ES_ATTRIBUTES),
            new Segment(X86.FS, X86.FS_BASE, X86.FS_LIMIT, X86.FS_ATTRIBUTES),
            new Segment(X86.GS, X86.GS_BASE, X86.GS_LIMIT, X86.GS_ATTRIBUTES),
            new Segment(X86.SS, X86.SS_BASE, X86.SS_LIMIT, X86.SS_ATTRIBUTES),
            new Segment(X86.LDTR, X86.LDTR_BASE, X86.LDTR_LIMIT, X86.LDTR_ATTRIBUTES),
            new Segment(X86.TR, X86.TR_BASE, X86.TR_LIMIT, X86.TR_ATTRIBUTES));

    private static final int GDTR = SEGMENTS + 8 * SEGMENT_SIZE;
    private static final int IDTR = GDTR + SEGMENT_SIZE;

    private QemuCpuState() {}

    /** What a descriptor says of KERNEL_GS_BASE; empty if it says nothing. */
    public static OptionalLong kernelGsBase(ByteBuffer descriptor) {
        return isKnown(descriptor) && descriptor.capacity() >= SIZE
                ? OptionalLong.of(descriptor.getLong(KERNEL_GS))
                : OptionalLong.empty();
    }

    /** Whether a descriptor is one of this layout. */
    static boolean isKnown(ByteBuffer descriptor) {
        return descriptor.capacity() >= SIZE_BEFORE_KERNEL_GS
                && descriptor.order(ByteOrder.LITTLE_ENDIAN).getInt(0) == 1;
    }

    /** Reads all registers of a descriptor for which {@link #isKnown} holds. */
    static void read(ByteBuffer descriptor, RegisterState.Builder registers) {
        descriptor.order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < GENERAL_ORDER.size(); i++) {
            registers.set(GENERAL_ORDER.get(i), descriptor.getLong(GENERAL + 8 * i));
        }
        for (int i = 0; i < SEGMENT_ORDER.size(); i++) {
            Segment segment = SEGMENT_ORDER.get(i);
            int at = SEGMENTS + SEGMENT_SIZE * i;
            registers.set(segment.selector(), descriptor.getInt(at));
            registers.set(segment.limit(), descriptor.getInt(at + 4));
            registers.set(segment.attributes(), descriptor.getInt(at + 8) >>> 8 & ATTRIBUTES);
            registers.set(segment.base(), descriptor.getLong(at + 16));
        }
        registers.set(X86.GDTR_LIMIT, descriptor.getInt(GDTR + 4));
        registers.set(X86.GDTR_BASE, descriptor.getLong(GDTR + 16));
        registers.set(X86.IDTR_LIMIT, descriptor.getInt(IDTR + 4));
        registers.set(X86.IDTR_BASE, descriptor.getLong(IDTR + 16));
        registers.set(X86.CR0, descriptor.getLong(CONTROL));
        registers.set(X86.CR2, descriptor.getLong(CONTROL + 16));
        registers.set(X86.CR3, descriptor.getLong(CONTROL + 24));
        registers.set(X86.CR4, descriptor.getLong(CONTROL + 32));
        if (descriptor.capacity() >= SIZE) {
            registers.set(X86.KERNEL_GS_BASE, descriptor.getLong(KERNEL_GS));
        }
    }

    /**
     * The structure for a vCPU; a register that is not known is zero. Without kernel_gs_base it is that of QEMU before 3.0,
     * since a zero there would be taken for the base.
     */
    static byte[] write(RegisterState registers) {
        int size = registers.knows(X86.KERNEL_GS_BASE) ? SIZE : SIZE_BEFORE_KERNEL_GS;
        ByteBuffer target = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        target.putInt(0, 1).putInt(4, size);
        for (int i = 0; i < GENERAL_ORDER.size(); i++) {
            target.putLong(GENERAL + 8 * i, registers.getOrElse(GENERAL_ORDER.get(i), 0));
        }
        for (int i = 0; i < SEGMENT_ORDER.size(); i++) {
            Segment segment = SEGMENT_ORDER.get(i);
            long attributes = registers.getOrElse(segment.attributes(), 0);
            long present = (attributes & UNUSABLE) == 0 ? attributes : attributes & ~PRESENT;
            int at = SEGMENTS + SEGMENT_SIZE * i;
            target.putInt(at, (int) registers.getOrElse(segment.selector(), 0));
            target.putInt(at + 4, (int) registers.getOrElse(segment.limit(), 0));
            target.putInt(at + 8, (int) (present & ATTRIBUTES) << 8);
            target.putLong(at + 16, registers.getOrElse(segment.base(), 0));
        }
        target.putInt(GDTR + 4, (int) registers.getOrElse(X86.GDTR_LIMIT, 0));
        target.putLong(GDTR + 16, registers.getOrElse(X86.GDTR_BASE, 0));
        target.putInt(IDTR + 4, (int) registers.getOrElse(X86.IDTR_LIMIT, 0));
        target.putLong(IDTR + 16, registers.getOrElse(X86.IDTR_BASE, 0));
        target.putLong(CONTROL, registers.getOrElse(X86.CR0, 0));
        target.putLong(CONTROL + 16, registers.getOrElse(X86.CR2, 0));
        target.putLong(CONTROL + 24, registers.getOrElse(X86.CR3, 0));
        target.putLong(CONTROL + 32, registers.getOrElse(X86.CR4, 0));
        if (size == SIZE) {
            target.putLong(KERNEL_GS, registers.get(X86.KERNEL_GS_BASE));
        }
        return target.array();
    }

    /** The registers for which the structure has a place and no way to say that they are not known. */
    static Set<X86> places() {
        Set<X86> places = carried(RegisterState.unknown());
        places.remove(X86.KERNEL_GS_BASE);
        return places;
    }

    /** Whether the structure would say more of a vCPU than an NT_PRSTATUS does: the control registers are its use. */
    static boolean isWorthwhile(RegisterState registers) {
        return registers.knows(X86.CR0) || registers.knows(X86.CR3) || registers.knows(X86.CR4);
    }

    /** The registers that the structure holds whole. */
    static Set<X86> carried(RegisterState registers) {
        Set<X86> carried = EnumSet.copyOf(GENERAL_ORDER);
        for (Segment segment : SEGMENT_ORDER) {
            carried.add(segment.selector());
            carried.add(segment.limit());
            carried.add(segment.base());
            if ((registers.getOrElse(segment.attributes(), 0) & ~ATTRIBUTES) == 0) {
                carried.add(segment.attributes());
            }
        }
        carried.addAll(List.of(
                X86.GDTR_LIMIT, X86.GDTR_BASE, X86.IDTR_LIMIT, X86.IDTR_BASE, X86.CR0, X86.CR2, X86.CR3, X86.CR4,
                X86.KERNEL_GS_BASE));
        return carried;
    }
}

package dev.guestcore.internal.xen;

import dev.guestcore.arch.x86.FxsaveArea;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Registers in Xen's vcpu_guest_context, out and in. {@code cr3} of a PV guest is the machine address of the root page
 * table: a 32-bit one stores it folded, with the upper bits of the frame number in the low twelve.
 */
public final class VcpuContext {

    private static final long RFLAGS_VM = 1L << 17;
    private static final long CR0_PE = 1;

    private VcpuContext() {}

    /**
     * Reads registers.
     *
     * @param element one element of .xen_prstatus; fields behind its end are unknown
     * @param paravirtualized whether it is a PV guest's
     */
    public static RegisterState decode(ContextLayout layout, byte[] element, boolean paravirtualized) {
        RegisterState.Builder registers = RegisterState.builder();
        for (ContextLayout.Field field : layout.fields()) {
            if (field.offset() + field.width() <= element.length) {
                long value = get(element, field.offset(), field.width());
                boolean folded = field.register() == X86.CR3 && isFolded(layout, paravirtualized);
                registers.set(field.register(), folded ? unfold(value) : value);
            }
        }
        if (layout == ContextLayout.X86_64 && element.length >= layout.size()) {
            boolean kernel = isKernel(layout, element, paravirtualized);
            long kernelBase = get(element, ContextLayout.GS_BASE_KERNEL, 8);
            long userBase = get(element, ContextLayout.GS_BASE_USER, 8);
            registers.set(X86.GS_BASE, kernel ? kernelBase : userBase);
            registers.set(X86.KERNEL_GS_BASE, kernel ? userBase : kernelBase);
        }
        if ((flags(element) & ContextLayout.FLAG_I387_VALID) != 0) {
            FxsaveArea.read(fxsave(element), registers);
        }
        return registers.build();
    }

    /**
     * Makes an element.
     *
     * @param registers what the vCPU's registers are
     * @param source the element that the vCPU was read from, of which everything is kept that the registers do not
     *     contradict; null if it was not read from such a file
     * @param size bytes of the element
     */
    public static byte[] encode(
            ContextLayout layout,
            RegisterState registers,
            boolean paravirtualized,
            byte @Nullable [] source,
            int size) {
        byte[] element = source == null ? new byte[size] : source.clone();
        RegisterState before =
                source == null ? RegisterState.unknown() : decode(layout, source, paravirtualized);
        for (ContextLayout.Field field : layout.fields()) {
            X86 register = field.register();
            if (field.offset() + field.width() <= element.length && isNew(register, registers, before)) {
                long value = registers.get(register);
                boolean folded = register == X86.CR3 && isFolded(layout, paravirtualized);
                put(element, field.offset(), field.width(), folded ? fold(value) : value);
            }
        }
        long flags = source == null ? ContextLayout.FLAG_ONLINE : flags(element);
        if (source == null && paravirtualized && looksLikeKernel(layout, registers)) {
            flags |= ContextLayout.FLAG_IN_KERNEL;
        }
        RegisterState floating = floatingPoint(registers);
        if (floating.known().stream().anyMatch(register -> isNew(register, floating, before))) {
            RegisterState merged = before.toBuilder().setAll(floating).build();
            FxsaveArea.write(fxsave(element), merged);
            flags |= ContextLayout.FLAG_I387_VALID;
        }
        put(element, ContextLayout.FLAGS, 4, flags);
        boolean knowsGs = registers.knows(X86.GS_BASE) || registers.knows(X86.KERNEL_GS_BASE);
        if (layout == ContextLayout.X86_64 && element.length >= layout.size() && knowsGs) {
            boolean kernel = isKernel(layout, element, paravirtualized);
            long live = registers.getOrElse(X86.GS_BASE, before.getOrElse(X86.GS_BASE, 0));
            long shadow = registers.getOrElse(X86.KERNEL_GS_BASE, before.getOrElse(X86.KERNEL_GS_BASE, 0));
            put(element, ContextLayout.GS_BASE_KERNEL, 8, kernel ? live : shadow);
            put(element, ContextLayout.GS_BASE_USER, 8, kernel ? shadow : live);
        }
        return element;
    }

    /** Whether a register has a place in the layout. */
    public static boolean holds(ContextLayout layout, Register register) {
        return layout.fields().stream().anyMatch(field -> field.register() == register)
                || layout == ContextLayout.X86_64 && (register == X86.GS_BASE || register == X86.KERNEL_GS_BASE)
                || isInFxsave(register);
    }

    /** The registers for which the layout has no way to say that they are not known. */
    public static Set<X86> alwaysHeld(ContextLayout layout) {
        Set<X86> held = EnumSet.noneOf(X86.class);
        layout.fields().forEach(field -> held.add(field.register()));
        if (layout == ContextLayout.X86_64) {
            held.addAll(List.of(X86.GS_BASE, X86.KERNEL_GS_BASE));
        }
        return held;
    }

    /** Whether the vCPU is online. */
    public static boolean isOnline(byte[] element) {
        return (flags(element) & ContextLayout.FLAG_ONLINE) != 0;
    }

    /** The machine address of the page table that a folded cr3 names. */
    public static long unfold(long cr3) {
        return ((cr3 >>> 12 | cr3 << 20) & 0xffff_ffffL) << 12;
    }

    /** The cr3 of a 32-bit PV guest whose root table is at that machine address. */
    public static long fold(long address) {
        long frame = address >>> 12;
        return (frame << 12 | frame >>> 20) & 0xffff_ffffL;
    }

    private static boolean isFolded(ContextLayout layout, boolean paravirtualized) {
        return paravirtualized && layout == ContextLayout.X86_32;
    }

    /** Which GS base is live follows from the ring; a PV kernel does not run in ring 0, so Xen says it in a flag. */
    private static boolean isKernel(ContextLayout layout, byte[] element, boolean paravirtualized) {
        if (paravirtualized) {
            return (flags(element) & ContextLayout.FLAG_IN_KERNEL) != 0;
        }
        long cs = 0;
        long rflags = 0;
        long cr0 = 0;
        for (ContextLayout.Field field : layout.fields()) {
            switch (field.register()) {
                case CS -> cs = get(element, field.offset(), field.width());
                case RFLAGS -> rflags = get(element, field.offset(), field.width());
                case CR0 -> cr0 = get(element, field.offset(), field.width());
                default -> {
                    // no say in the ring
                }
            }
        }
        boolean realMode = (cr0 & CR0_PE) == 0;
        boolean virtual8086 = (rflags & RFLAGS_VM) != 0;
        return realMode || !virtual8086 && (cs & 3) == 0;
    }

    private static boolean looksLikeKernel(ContextLayout layout, RegisterState registers) {
        return layout == ContextLayout.X86_64
                ? registers.getOrElse(X86.RIP, 0) < 0
                : (registers.getOrElse(X86.CS, 0) & 3) <= 1;
    }

    private static boolean isNew(Register register, RegisterState registers, RegisterState before) {
        return registers.knows(register)
                && !(before.knows(register) && Arrays.equals(before.bytes(register), registers.bytes(register)));
    }

    private static boolean isInFxsave(Register register) {
        return register.group() == Register.Group.FPU
                || register.group() == Register.Group.VECTOR
                        && register.bits() <= 128
                        && !(register instanceof X86 x86 && x86.isBeyondAvx());
    }

    /** What goes into the FXSAVE area: of the AVX registers the lower halves. */
    private static RegisterState floatingPoint(RegisterState registers) {
        RegisterState.Builder floating = RegisterState.builder();
        for (Register register : registers.known()) {
            if (isInFxsave(register)) {
                floating.set(register, registers.bytes(register));
            }
        }
        for (int i = 0; i < 16; i++) {
            if (registers.knows(X86.ymm(i))) {
                floating.set(X86.xmm(i), Arrays.copyOf(registers.bytes(X86.ymm(i)), 16));
            }
        }
        return floating.build();
    }

    private static MemorySegment fxsave(byte[] element) {
        return MemorySegment.ofArray(element).asSlice(0, FxsaveArea.SIZE);
    }

    private static long flags(byte[] element) {
        return element.length < ContextLayout.FLAGS + 4 ? 0 : get(element, ContextLayout.FLAGS, 4);
    }

    private static long get(byte[] bytes, int offset, int width) {
        long value = 0;
        for (int i = width - 1; i >= 0; i--) {
            value = value << Byte.SIZE | bytes[offset + i] & 0xff;
        }
        return value;
    }

    private static void put(byte[] bytes, int offset, int width, long value) {
        for (int i = 0; i < width; i++) {
            bytes[offset + i] = (byte) (value >>> i * Byte.SIZE);
        }
    }
}

package dev.guestcore.internal.migration;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The section of an x86 vCPU (device "cpu") as registers. QEMU's names of the fields, and what they hold where that is not
 * the register itself:
 *
 * <pre>
 * env.regs                   rax rcx rdx rbx rsp rbp rsi rdi, r8 to r15 in a 64-bit machine
 * env.segs                   es cs ss ds fs gs: selector u32, base, limit u32, flags u32; also env.ldt, tr, gdt, idt
 *                            flags: second word of the descriptor
 * env.fptag_vmstate          one bit a physical register, set where it is in use
 * env.fpus_vmstate           FSW with the top of the stack in bits 11 to 13
 * env.fpregs                 mantissa u64, exponent u16; physical registers, under KVM st(0) first
 * env.fpregs_format_vmstate  0; old versions wrote 1 for registers without exponent
 * xmm_reg, ymmh_reg          structures of two u64, lower one first; of env.xmm_regs
 * zmmh_reg, hi16_zmm_reg     of four u64, the upper halves of zmm0 on, and of eight, zmm16 on; subsection cpu/avx512
 * env.opmask_regs            k0 to k7
 * env.pkru                   subsection cpu/pkru
 * </pre>
 */
final class CpuSection {

    private static final List<X86> SEGMENTS = List.of(X86.ES, X86.CS, X86.SS, X86.DS, X86.FS, X86.GS);
    private static final long ATTRIBUTES = 0xf0ff;
    private static final int STACK = 8;
    private static final int STACK_REGISTER = 10;
    private static final long AVX = 1L << 2;
    private static final int OPMASKS = 8;

    private final DeviceFields fields;
    private final RegisterState.Builder registers = RegisterState.builder();
    private final List<byte[]> stack = new ArrayList<>();

    /**
     * What a section holds.
     *
     * @param known all registers but the x87 stack
     * @param stack the x87 registers as the section has them, or none
     */
    record Decoded(RegisterState known, List<byte[]> stack) implements VcpuSection {

        @Override
        public Architecture architecture() {
            return Architectures.X86;
        }

        /** KVM has the x87 registers as the stack has them, TCG by physical number. */
        @Override
        public RegisterState.Builder registers(boolean stackOrder) {
            RegisterState.Builder registers = known.toBuilder();
            int top = stackOrder ? 0 : (int) (known.getOrElse(X86.FSW, 0) >>> 11 & 7);
            for (int i = 0; i < stack.size(); i++) {
                registers.set(X86.st(i), stack.get(top + i & 7));
            }
            return registers;
        }
    }

    private CpuSection(DeviceFields fields) {
        this.fields = fields;
    }

    /** Decodes a section; empty if its fields are not those of an x86 vCPU. */
    static Optional<Decoded> read(DeviceFields fields) {
        int general = fields.isNumbers("env.regs", 16) ? 16 : 8;
        if (!fields.isNumbers("env.regs", general) || !fields.isNumbers("env.eip", 1)
                || !fields.isNumbers("env.eflags", 1) || !fields.isNumbers("env.cr[0]", 1)
                || !fields.isNumbers("env.cr[3]", 1)) {
            return Optional.empty();
        }
        CpuSection section = new CpuSection(fields);
        section.decode(general);
        return Optional.of(new Decoded(section.registers.build(), List.copyOf(section.stack)));
    }

    private void decode(int general) {
        DeviceFields.Field values = fields.field("env.regs").orElseThrow();
        for (int i = 0; i < general; i++) {
            registers.set(X86.general(i), fields.number(values, i));
        }
        set(X86.RIP, "env.eip");
        set(X86.RFLAGS, "env.eflags");
        decodeSegments();
        set(X86.SYSENTER_CS, "env.sysenter_cs");
        set(X86.SYSENTER_ESP, "env.sysenter_esp");
        set(X86.SYSENTER_EIP, "env.sysenter_eip");
        set(X86.CR0, "env.cr[0]");
        set(X86.CR2, "env.cr[2]");
        set(X86.CR3, "env.cr[3]");
        set(X86.CR4, "env.cr[4]");
        if (fields.isNumbers("env.dr", 8)) {
            DeviceFields.Field debug = fields.field("env.dr").orElseThrow();
            X86[] places = {X86.DR0, X86.DR1, X86.DR2, X86.DR3, null, null, X86.DR6, X86.DR7};
            for (int i = 0; i < places.length; i++) {
                if (places[i] != null) {
                    registers.set(places[i], fields.number(debug, i));
                }
            }
        }
        set(X86.EFER, "env.efer");
        set(X86.STAR, "env.star");
        set(X86.LSTAR, "env.lstar");
        set(X86.CSTAR, "env.cstar");
        set(X86.SFMASK, "env.fmask");
        set(X86.KERNEL_GS_BASE, "env.kernelgsbase");
        set(X86.PAT, "env.pat");
        set(X86.TSC_AUX, "env.tsc_aux");
        set(X86.XCR0, "env.xcr0");
        set(X86.MXCSR, "env.mxcsr");
        decodeStack();
        decodeVectors();
        decodeBeyondAvx();
    }

    private void set(X86 register, String name) {
        if (fields.isNumbers(name, 1)) {
            registers.set(register, fields.number(fields.field(name).orElseThrow(), 0));
        }
    }

    private void decodeSegments() {
        fields.field("env.segs")
                .filter(field -> field.count() == SEGMENTS.size())
                .ifPresent(field -> {
                    for (int i = 0; i < SEGMENTS.size(); i++) {
                        segment(SEGMENTS.get(i).label(), field, i);
                    }
                });
        fields.field("env.ldt").ifPresent(field -> segment("ldtr", field, 0));
        fields.field("env.tr").ifPresent(field -> segment("tr", field, 0));
        fields.field("env.gdt").ifPresent(field -> segment("gdtr", field, 0));
        fields.field("env.idt").ifPresent(field -> segment("idtr", field, 0));
    }

    private void segment(String label, DeviceFields.Field field, int index) {
        long address = (field.size() - 3L * Integer.BYTES);
        if (!field.structure().equals("segment") || address != Integer.BYTES && address != Long.BYTES) {
            return;
        }
        long at = field.offset() + field.size() * index;
        X86.ofLabel(label).ifPresent(register -> registers.set(register, fields.number(at, Integer.BYTES)));
        registers.set(register(label + ".base"), fields.number(at + 4, address));
        registers.set(register(label + ".limit"), fields.number(at + 4 + address, Integer.BYTES));
        X86.ofLabel(label + ".attributes").ifPresent(register -> registers.set(
                register, fields.number(at + 8 + address, Integer.BYTES) >>> 8 & ATTRIBUTES));
    }

    private static X86 register(String label) {
        return X86.ofLabel(label).orElseThrow();
    }

    private void decodeStack() {
        set(X86.FCW, "env.fpuc");
        set(X86.FSW, "env.fpus_vmstate");
        set(X86.FTW, "env.fptag_vmstate");
        set(X86.FOP, "env.fpop");
        set(X86.FIP, "env.fpip");
        set(X86.FDP, "env.fpdp");
        Optional<DeviceFields.Field> values = fields.field("env.fpregs")
                .filter(field -> field.count() == STACK && field.size() == STACK_REGISTER);
        boolean extended = fields.isNumbers("env.fpregs_format_vmstate", 1)
                && fields.number(fields.field("env.fpregs_format_vmstate").orElseThrow(), 0) == 0;
        if (values.isEmpty() || !extended) {
            return;
        }
        for (int i = 0; i < STACK; i++) {
            long at = values.get().offset() + (long) STACK_REGISTER * i;
            byte[] bytes = new byte[STACK_REGISTER];
            littleEndian(fields.number(at, Long.BYTES), bytes, 0, Long.BYTES);
            littleEndian(fields.number(at + Long.BYTES, Short.BYTES), bytes, Long.BYTES, Short.BYTES);
            stack.add(bytes);
        }
    }

    private void decodeVectors() {
        Optional<DeviceFields.Field> low = vectors("xmm_reg");
        if (low.isEmpty()) {
            return;
        }
        Optional<DeviceFields.Field> high = vectors("ymmh_reg")
                .filter(field -> field.count() == low.get().count())
                .filter(field -> !fields.isNumbers("env.xcr0", 1)
                        || (fields.number(fields.field("env.xcr0").orElseThrow(), 0) & AVX) != 0);
        for (int i = 0; i < low.get().count(); i++) {
            byte[] bytes = new byte[32];
            vector(low.get(), i, bytes, 0);
            registers.set(X86.xmm(i), Arrays.copyOf(bytes, 16));
            if (high.isPresent()) {
                vector(high.get(), i, bytes, 16);
                registers.set(X86.ymm(i), bytes);
            }
        }
    }

    /** Subsections cpu/avx512 and cpu/pkru, which QEMU sends only where one of their registers is not zero. */
    private void decodeBeyondAvx() {
        if (fields.isNumbers("env.opmask_regs", OPMASKS)) {
            DeviceFields.Field masks = fields.field("env.opmask_regs").orElseThrow();
            for (int i = 0; i < OPMASKS; i++) {
                registers.set(X86.opmask(i), fields.number(masks, i));
            }
        }
        RegisterState known = registers.build();
        quadwords("zmmh_reg", 4).ifPresent(high -> {
            for (int i = 0; i < high.count(); i++) {
                if (known.knows(X86.ymm(i))) {
                    byte[] bytes = Arrays.copyOf(known.bytes(X86.ymm(i)), 64);
                    vector(high, i, bytes, 32);
                    registers.set(X86.zmm(i), bytes);
                }
            }
        });
        quadwords("hi16_zmm_reg", 8).ifPresent(upper -> {
            for (int i = 0; i < upper.count(); i++) {
                byte[] bytes = new byte[64];
                vector(upper, i, bytes, 0);
                registers.set(X86.zmm(16 + i), bytes);
            }
        });
        set(X86.PKRU, "env.pkru");
    }

    private Optional<DeviceFields.Field> quadwords(String structure, int count) {
        return fields.structures(structure)
                .filter(field -> field.size() == (long) count * Long.BYTES
                        && (field.count() == 8 || field.count() == 16));
    }

    private Optional<DeviceFields.Field> vectors(String structure) {
        return fields.structures(structure)
                .filter(field -> field.size() == 2 * Long.BYTES && (field.count() == 8 || field.count() == 16));
    }

    private void vector(DeviceFields.Field field, int index, byte[] target, int offset) {
        long at = field.offset() + field.size() * index;
        for (int i = 0; i < field.size(); i += Long.BYTES) {
            littleEndian(fields.number(at + i, Long.BYTES), target, offset + i, Long.BYTES);
        }
    }

    private static void littleEndian(long value, byte[] target, int offset, int size) {
        for (int i = 0; i < size; i++) {
            target[offset + i] = (byte) (value >>> Byte.SIZE * i);
        }
    }
}

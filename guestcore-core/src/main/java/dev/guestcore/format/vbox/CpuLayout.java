package dev.guestcore.format.vbox;

import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.FxsaveArea;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Where each register lies in the CPU state of one layout: the one table that reader and writer share
 * (docs/formats/vbox-vmcore.md, sections 5.1 to 5.3). Little-endian; offsets and widths in bytes.
 */
final class CpuLayout {

    /** Size of the extended state of DBGFCORECPU, always its last bytes. */
    static final int EXTENDED_SIZE = 8192;

    /** From this version on CPUMCTX-1088 holds the APIC base where 4.2 has padding. */
    private static final int VERSION_4_3 = 0x04030000;

    private static final ValueLayout.OfShort U16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt U32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final String kind;
    private final int size;
    private final List<Field> fields = new ArrayList<>();
    private final List<Field> copies = new ArrayList<>();
    private final List<Padding> paddings = new ArrayList<>();
    private int areaOffset;
    private int areaSize;
    private int areaSizeField = -1;

    /** A register and where it lies. */
    record Field(X86 register, int offset, int width) {}

    /** Reserved bytes, zero in what VirtualBox writes. */
    record Padding(int offset, int size) {}

    private CpuLayout(String structure, int size) {
        this.kind = "vbox." + structure + "-" + size;
        this.size = size;
    }

    /**
     * The table of a layout.
     *
     * @param version VirtualBox version of the core, which decides what is in the padding of CPUMCTX-1088
     */
    static CpuLayout of(VmCoreLayout layout, int version) {
        return switch (layout) {
            case R32341, V4_0 -> founding();
            case V4_2 -> context1088(version);
            case V5_0_RC2 -> coreCpu(layout, Generation.V2);
            case V5_0_HOST32, V5_0 -> coreCpu(layout, Generation.V3);
            case V5_1 -> coreCpu(layout, Generation.V5);
            case V7_0_WINDOWS, V7_0 -> coreCpu(layout, Generation.V6);
        };
    }

    /** Section 5.1. */
    private static CpuLayout founding() {
        CpuLayout table = new CpuLayout("CPUMCTX", 1024);
        table.areaSize = FxsaveArea.SIZE;
        table.quads(0x200, X86.RDI, X86.RSI, X86.RBP, X86.RAX, X86.RBX, X86.RDX, X86.RCX, X86.RSP);
        table.field(X86.SS, 0x244, 2);
        table.field(X86.GS, 0x248, 2);
        table.field(X86.FS, 0x24c, 2);
        table.field(X86.ES, 0x250, 2);
        table.field(X86.DS, 0x254, 2);
        table.field(X86.CS, 0x258, 2);
        table.quads(0x260, X86.RFLAGS, X86.RIP);
        table.quads(0x270, X86.R8, X86.R9, X86.R10, X86.R11, X86.R12, X86.R13, X86.R14, X86.R15);
        table.hiddenPart(X86.ES, 0x2b0);
        table.hiddenPart(X86.CS, 0x2c0);
        table.hiddenPart(X86.SS, 0x2d0);
        table.hiddenPart(X86.DS, 0x2e0);
        table.hiddenPart(X86.FS, 0x2f0);
        table.hiddenPart(X86.GS, 0x300);
        table.quads(0x310, X86.CR0, X86.CR2, X86.CR3, X86.CR4);
        table.debugRegisters(0x330);
        table.field(X86.GDTR_LIMIT, 0x370, 2);
        table.field(X86.GDTR_BASE, 0x372, 8);
        table.field(X86.IDTR_LIMIT, 0x37c, 2);
        table.field(X86.IDTR_BASE, 0x37e, 8);
        table.field(X86.LDTR, 0x388, 2);
        table.field(X86.TR, 0x38c, 2);
        table.quads(0x390, X86.SYSENTER_CS, X86.SYSENTER_EIP, X86.SYSENTER_ESP);
        table.quads(0x3a8, X86.EFER, X86.STAR, X86.PAT, X86.LSTAR, X86.CSTAR, X86.SFMASK, X86.KERNEL_GS_BASE);
        table.hiddenPart(X86.LDTR, 0x3e0);
        table.hiddenPart(X86.TR, 0x3f0);
        return table;
    }

    /** Section 5.2. */
    private static CpuLayout context1088(int version) {
        CpuLayout table = new CpuLayout("CPUMCTX", 1088);
        table.areaSize = FxsaveArea.SIZE;
        table.quads(0x200, X86.RAX, X86.RCX, X86.RDX, X86.RBX, X86.RSP, X86.RBP, X86.RSI, X86.RDI);
        table.quads(0x240, X86.R8, X86.R9, X86.R10, X86.R11, X86.R12, X86.R13, X86.R14, X86.R15);
        table.segmentWithFlags(X86.ES, 0x280);
        table.segmentWithFlags(X86.CS, 0x298);
        table.segmentWithFlags(X86.SS, 0x2b0);
        table.segmentWithFlags(X86.DS, 0x2c8);
        table.segmentWithFlags(X86.FS, 0x2e0);
        table.segmentWithFlags(X86.GS, 0x2f8);
        table.quads(0x310, X86.RIP, X86.RFLAGS, X86.CR0, X86.CR2, X86.CR3, X86.CR4);
        table.debugRegisters(0x340);
        table.field(X86.GDTR_LIMIT, 0x386, 2);
        table.field(X86.GDTR_BASE, 0x388, 8);
        table.field(X86.IDTR_LIMIT, 0x396, 2);
        table.field(X86.IDTR_BASE, 0x398, 8);
        table.segmentWithFlags(X86.LDTR, 0x3a0);
        table.segmentWithFlags(X86.TR, 0x3b8);
        table.quads(0x3d0, X86.SYSENTER_CS, X86.SYSENTER_EIP, X86.SYSENTER_ESP);
        table.quads(0x3e8, X86.EFER, X86.STAR, X86.PAT, X86.LSTAR, X86.CSTAR, X86.SFMASK, X86.KERNEL_GS_BASE);
        if (Integer.compareUnsigned(version, VERSION_4_3) >= 0) {
            table.field(X86.APIC_BASE, 0x420, 8);
        }
        return table;
    }

    /** The declarations of DBGFCORECPU; -1 where a field is missing. */
    private enum Generation {
        V2(-1, 136, 280, 312, 376, 408, 456, 464, -1, 528, -1),
        V3(-1, 136, 280, 312, 376, 408, 456, 464, -1, 528, 544),
        V5(136, 144, 288, 320, 384, 416, 464, 488, -1, 552, 568),
        V6(136, 144, 288, 320, 384, 416, 464, 488, 552, 560, 576);

        private final int flags;
        private final int segments;
        private final int control;
        private final int debug;
        private final int tables;
        private final int ldtr;
        private final int sysenter;
        private final int msrs;
        private final int tscAux;
        private final int xcr;
        private final int extendedSize;

        Generation(
                int flags,
                int segments,
                int control,
                int debug,
                int tables,
                int ldtr,
                int sysenter,
                int msrs,
                int tscAux,
                int xcr,
                int extendedSize) {
            this.flags = flags;
            this.segments = segments;
            this.control = control;
            this.debug = debug;
            this.tables = tables;
            this.ldtr = ldtr;
            this.sysenter = sysenter;
            this.msrs = msrs;
            this.tscAux = tscAux;
            this.xcr = xcr;
            this.extendedSize = extendedSize;
        }
    }

    /** Section 5.3. */
    private static CpuLayout coreCpu(VmCoreLayout layout, Generation at) {
        CpuLayout table = new CpuLayout("DBGFCORECPU", layout.payloadSize());
        table.quads(0, X86.RAX, X86.RBX, X86.RCX, X86.RDX, X86.RSI, X86.RDI);
        table.quads(48, X86.R8, X86.R9, X86.R10, X86.R11, X86.R12, X86.R13, X86.R14, X86.R15);
        table.quads(112, X86.RIP, X86.RSP, X86.RBP);
        if (at.flags >= 0) {
            table.quads(at.flags, X86.RFLAGS);
        }
        X86[] segments = {X86.CS, X86.DS, X86.ES, X86.FS, X86.GS, X86.SS};
        for (int i = 0; i < segments.length; i++) {
            table.segment(segments[i], at.segments + 24 * i);
        }
        table.quads(at.control, X86.CR0, X86.CR2, X86.CR3, X86.CR4);
        table.debugRegisters(at.debug);
        table.field(X86.GDTR_BASE, at.tables, 8);
        table.field(X86.GDTR_LIMIT, at.tables + 8, 4);
        table.paddings.add(new Padding(at.tables + 12, 4));
        table.field(X86.IDTR_BASE, at.tables + 16, 8);
        table.field(X86.IDTR_LIMIT, at.tables + 24, 4);
        table.paddings.add(new Padding(at.tables + 28, 4));
        table.segment(X86.LDTR, at.ldtr);
        table.segment(X86.TR, at.ldtr + 24);
        if (at.msrs - at.sysenter == Long.BYTES) {
            // The three fields were a union by mistake; the one stored last survives.
            table.quads(at.sysenter, X86.SYSENTER_ESP);
        } else {
            table.quads(at.sysenter, X86.SYSENTER_CS, X86.SYSENTER_EIP, X86.SYSENTER_ESP);
        }
        table.quads(
                at.msrs,
                X86.EFER,
                X86.STAR,
                X86.PAT,
                X86.LSTAR,
                X86.CSTAR,
                X86.SFMASK,
                X86.KERNEL_GS_BASE,
                X86.APIC_BASE);
        if (at.tscAux >= 0) {
            table.quads(at.tscAux, X86.TSC_AUX);
        }
        table.quads(at.xcr, X86.XCR0, X86.XCR1);
        table.areaOffset = layout.payloadSize() - EXTENDED_SIZE;
        table.areaSize = EXTENDED_SIZE;
        table.areaSizeField = at.extendedSize;
        if (at.extendedSize >= 0) {
            int end = at.extendedSize + Integer.BYTES;
            table.paddings.add(new Padding(end, table.areaOffset - end));
        }
        return table;
    }

    private void field(X86 register, int offset, int width) {
        fields.add(new Field(register, offset, width));
    }

    private void quads(int offset, X86... registers) {
        for (int i = 0; i < registers.length; i++) {
            field(registers[i], offset + Long.BYTES * i, Long.BYTES);
        }
    }

    /** Eight of them, but 4 and 5 are aliases that VirtualBox does not use. */
    private void debugRegisters(int offset) {
        quads(offset, X86.DR0, X86.DR1, X86.DR2, X86.DR3);
        quads(offset + 48, X86.DR6, X86.DR7);
    }

    private static X86 part(X86 selector, String part) {
        return X86.ofLabel(selector.label() + "." + part).orElseThrow();
    }

    /** base u64, limit u32, attributes u32. */
    private void hiddenPart(X86 selector, int offset) {
        field(part(selector, "base"), offset, 8);
        field(part(selector, "limit"), offset + 8, 4);
        field(part(selector, "attributes"), offset + 12, 4);
    }

    /** hidden part, selector u16, reserved u16 and u32. */
    private void segment(X86 selector, int offset) {
        hiddenPart(selector, offset);
        field(selector, offset + 16, 2);
        paddings.add(new Padding(offset + 18, 6));
    }

    /**
     * selector u16, padding u16, selector for which the hidden part holds u16, flags u16 (1: it holds), hidden part.
     */
    private void segmentWithFlags(X86 selector, int offset) {
        field(selector, offset, 2);
        copies.add(new Field(selector, offset + 4, 2));
        hiddenPart(selector, offset + 8);
    }

    /** Name of the structure, as {@link RawContext#kind()}. */
    String kind() {
        return kind;
    }

    /** Size of the structure. */
    int size() {
        return size;
    }

    /** Reserved parts. */
    List<Padding> paddings() {
        return paddings;
    }

    /** Offset of the field with the size of the extended state, or -1. */
    int extendedSizeField() {
        return areaSizeField;
    }

    /** Offset of the FXSAVE or XSAVE area. */
    int extendedOffset() {
        return areaOffset;
    }

    /** The registers that this structure has a place for. */
    Set<Register> registers() {
        Set<Register> registers = new HashSet<>();
        fields.forEach(field -> registers.add(field.register()));
        for (X86 register : X86.values()) {
            if (isExtended(register) && (areaSize > FxsaveArea.SIZE || !isAvx(register) && !register.isBeyondAvx())) {
                registers.add(register);
            }
        }
        return registers;
    }

    /** Whether {@code value} of a register with a place here would lose bits. */
    boolean cuts(X86 register, long value) {
        return fields.stream()
                .anyMatch(field -> field.register() == register
                        && field.width() < Long.BYTES
                        && value >>> field.width() * Byte.SIZE != 0);
    }

    /**
     * Reads all registers.
     *
     * @param payload {@link #size()} bytes
     */
    RegisterState decode(MemorySegment payload) {
        RegisterState.Builder registers = RegisterState.builder();
        for (Field field : fields) {
            registers.set(field.register(), load(payload, field));
        }
        long valid = Math.min(areaSize, extendedSize(payload));
        if (valid >= FxsaveArea.SIZE) {
            FxsaveArea.read(payload.asSlice(areaOffset, valid), registers);
        }
        return registers.build();
    }

    /** How many bytes of the extended state are said to hold something, unchecked. */
    long extendedSize(MemorySegment payload) {
        return areaSizeField < 0 ? areaSize : Integer.toUnsignedLong(payload.get(U32, areaSizeField));
    }

    /**
     * The structure for a vCPU. If the vCPU came from this structure, its bytes are taken over and only registers with
     * another value are stored, so that what has no name survives. Otherwise what is not known is zero.
     */
    byte[] encode(Vcpu vcpu) {
        RegisterState now = vcpu.registers();
        Optional<byte[]> raw = structure(vcpu);
        byte[] bytes = raw.map(byte[]::clone).orElseGet(() -> new byte[size]);
        MemorySegment payload = MemorySegment.ofArray(bytes);
        RegisterState before = raw.isPresent() ? decode(payload) : RegisterState.unknown();
        for (Field field : fields) {
            if (differs(field.register(), before, now)) {
                store(payload, field, now.get(field.register()));
            }
        }
        for (Field copy : copies) {
            if (differs(copy.register(), before, now)) {
                store(payload, copy, now.get(copy.register()));
                store(payload, new Field(copy.register(), copy.offset() + 2, 2), 1);
            }
        }
        encodeExtended(payload, before, now);
        return bytes;
    }

    /** Whether a vCPU came from this structure, so that what its registers do not say comes from there. */
    boolean isRewritten(Vcpu vcpu) {
        return structure(vcpu).isPresent();
    }

    private Optional<byte[]> structure(Vcpu vcpu) {
        return vcpu.rawContext(kind).map(RawContext::bytes).filter(bytes -> bytes.length == size);
    }

    private void encodeExtended(MemorySegment payload, RegisterState before, RegisterState now) {
        RegisterState.Builder merged = before.toBuilder();
        boolean changed = false;
        int needed = FxsaveArea.SIZE;
        for (Register register : now.known()) {
            if (isExtended(register)) {
                merged.set(register, now.bytes(register));
                changed |= differs(register, before, now);
                needed = Math.max(needed, isBeyondAvx(register)
                        ? FxsaveArea.SIZE_WITH_ALL
                        : isAvx(register) ? FxsaveArea.SIZE_WITH_AVX : FxsaveArea.SIZE);
            }
        }
        if (!changed) {
            return;
        }
        for (int i = 0; i < 16; i++) {
            if (differs(X86.xmm(i), before, now) && now.knows(X86.ymm(i)) && !differs(X86.ymm(i), before, now)) {
                byte[] wide = now.bytes(X86.ymm(i));
                System.arraycopy(now.bytes(X86.xmm(i)), 0, wide, 0, 16);
                merged.set(X86.ymm(i), wide);
            }
        }
        long valid = Math.min(areaSize, extendedSize(payload));
        if (areaSizeField >= 0 && valid < needed) {
            // What VirtualBox reports on a host with AVX, unless more is needed.
            valid = Math.max(needed, FxsaveArea.SIZE_WITH_AVX);
            payload.set(U32, areaSizeField, (int) valid);
        }
        FxsaveArea.write(payload.asSlice(areaOffset, valid), merged.build());
    }

    private static boolean differs(Register register, RegisterState before, RegisterState now) {
        return now.knows(register)
                && !(before.knows(register) && Arrays.equals(before.bytes(register), now.bytes(register)));
    }

    static boolean isExtended(Register register) {
        return register.group() == Register.Group.FPU
                || register.group() == Register.Group.VECTOR
                || isBeyondAvx(register);
    }

    private static boolean isBeyondAvx(Register register) {
        return register instanceof X86 x86 && x86.isBeyondAvx();
    }

    private static boolean isAvx(Register register) {
        return register.bits() == 256;
    }

    private static long load(MemorySegment payload, Field field) {
        return switch (field.width()) {
            case Short.BYTES -> payload.get(U16, field.offset()) & 0xffffL;
            case Integer.BYTES -> Integer.toUnsignedLong(payload.get(U32, field.offset()));
            default -> payload.get(U64, field.offset());
        };
    }

    private static void store(MemorySegment payload, Field field, long value) {
        switch (field.width()) {
            case Short.BYTES -> payload.set(U16, field.offset(), (short) value);
            case Integer.BYTES -> payload.set(U32, field.offset(), (int) value);
            default -> payload.set(U64, field.offset(), value);
        }
    }
}

package dev.guestcore.internal.migration;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.arch.arm64.Arm64SystemRegisters;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The section of an arm64 vCPU as registers (QEMU, target/arm/machine.c). QEMU's names of the fields, and what they hold where
 * that is not the register itself:
 *
 * <pre>
 * env.xregs                x0 to x30, and the stack pointer in use
 * cpsr                     u32 PSTATE in the layout of SPSR_ELx; bit 4 is set while AArch32 code runs
 * env.elr_el               ELR_EL0 (none) to ELR_EL3
 * env.sp_el                SP_EL0 to SP_EL3; that in use is old here
 * env.banked_spsr          by banks: SPSR_EL1 is 1 (svc), abt 2, und 3, irq 4, fiq 5, SPSR_EL2 6 (hyp), SPSR_EL3 7 (mon)
 * cpreg_vmstate_indexes    system registers by KVM's numbers: 603000000013 and 16 bits of the encoding; 4020..., 4030... are the
 * cpreg_vmstate_values     AArch32 views of them; 6030...14 and 16 KVM's own
 * env.vfp.zregs[n].d       two u64, lower one first: v0 to v31
 * fpscr                    u32 FPSR and FPCR in one; fpcr, fpsr where that cannot hold them (QEMU 9.1)
 * env.vfp.zregs            subsection cpu/sve: d, what follows of z0 to z31, u64, lowest first
 * env.vfp.pregs            p, four u64: p0 to p15 and ffr
 * env.zarray               subsection cpu/za, cpu/sme: rows of SME's array
 * </pre>
 */
final class Arm64Section implements VcpuSection {

    private static final int GENERAL = 31;
    private static final int VECTORS = 32;
    private static final int LEVELS = 4;
    private static final int BANKS = 8;
    private static final int PREDICATES = 16;
    private static final int VECTOR_BYTES = 16;

    /** Encoding of a 64-bit system register; Linux, arch/arm64/include/uapi/asm/kvm.h. */
    private static final long SYSTEM = 0x6030_0000_0013L;

    private static final long FIRMWARE = 0x6030_0000_0014L;
    private static final long FIRMWARE_FEATURES = 0x6030_0000_0016L;

    private static final long NARROW = 1 << 4;
    private static final long OWN_STACK = 1;

    /** FPSR has 31 to 27, 7 and 4 to 0 of it, FPCR 26 to 8 but 23. */
    private static final long STATUS_BITS = 0xf800_009fL;

    private static final long CONTROL_BITS = 0x07f7_9f00L;
    private static final long LENGTH = 0xf;
    private static final long ARRAY_ON = 2;
    private static final int MOST_NAMED = 8;

    private final DeviceFields fields;
    private final RegisterState.Builder registers = RegisterState.builder();
    private final List<String> lost = new ArrayList<>();

    private Arm64Section(DeviceFields fields) {
        this.fields = fields;
    }

    static Optional<VcpuSection> read(DeviceFields fields) {
        boolean arm = fields.isNumbers("env.xregs", GENERAL + 1)
                && fields.isNumbers("env.pc", 1)
                && fields.isNumbers("cpsr", 1);
        if (!arm || system(fields).isEmpty()) {
            return Optional.empty();
        }
        return Optional.of(new Arm64Section(fields));
    }

    /** The list of system registers, if a 64-bit one is in it: qemu-system-arm has all the other fields, too. */
    private static Optional<DeviceFields.Field> system(DeviceFields fields) {
        return fields.field("cpreg_vmstate_indexes")
                .filter(indexes -> indexes.size() == Long.BYTES
                        && fields.isNumbers("cpreg_vmstate_values", indexes.count()))
                .filter(indexes -> {
                    for (long i = 0; i < indexes.count(); i++) {
                        if (fields.number(indexes, i) >>> Short.SIZE == SYSTEM) {
                            return true;
                        }
                    }
                    return false;
                });
    }

    @Override
    public Architecture architecture() {
        return Architectures.ARM64;
    }

    @Override
    public RegisterState.Builder registers(boolean kvm) {
        decodeSystem();
        long pstate = fields.number(fields.field("cpsr").orElseThrow(), 0);
        registers.set(Arm64.PSTATE, pstate);
        if ((pstate & NARROW) == 0) {
            decodeGeneral(pstate);
        } else {
            decodeNarrow();
        }
        decodeFloating();
        decodeScalable();
        return registers;
    }

    @Override
    public Optional<String> lost() {
        return lost.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", lost));
    }

    private void decodeGeneral(long pstate) {
        DeviceFields.Field general = fields.field("env.xregs").orElseThrow();
        for (int i = 0; i < GENERAL; i++) {
            registers.set(Arm64.x(i), fields.number(general, i));
        }
        registers.set(Arm64.SP, fields.number(general, GENERAL));
        registers.set(Arm64.PC, fields.number(fields.field("env.pc").orElseThrow(), 0));
        if (fields.isNumbers("env.sp_el", LEVELS)) {
            DeviceFields.Field stacks = fields.field("env.sp_el").orElseThrow();
            long inUse = (pstate & OWN_STACK) == 0 ? 0 : pstate >>> 2 & 3;
            for (int i = 0; i < LEVELS; i++) {
                registers.set(
                        Arm64.system("sp_el" + i),
                        i == inUse ? fields.number(general, GENERAL) : fields.number(stacks, i));
            }
        }
        if (fields.isNumbers("env.elr_el", LEVELS)) {
            DeviceFields.Field returns = fields.field("env.elr_el").orElseThrow();
            for (int i = 1; i < LEVELS; i++) {
                registers.set(Arm64.system("elr_el" + i), fields.number(returns, i));
            }
        }
        if (fields.isNumbers("env.banked_spsr", BANKS)) {
            DeviceFields.Field banks = fields.field("env.banked_spsr").orElseThrow();
            String[] labels = {"", "spsr_el1", "spsr_abt", "spsr_und", "spsr_irq", "spsr_fiq", "spsr_el2", "spsr_el3"};
            for (int i = 1; i < BANKS; i++) {
                registers.set(Arm64.system(labels[i]), fields.number(banks, i));
            }
        }
    }

    /** Of AArch32 code, what is the same in all its modes; the rest is banked. */
    private void decodeNarrow() {
        if (fields.isNumbers("env.regs", 16)) {
            DeviceFields.Field narrow = fields.field("env.regs").orElseThrow();
            for (int i = 0; i < 8; i++) {
                registers.set(Arm64.x(i), fields.number(narrow, i));
            }
            registers.set(Arm64.PC, fields.number(narrow, 15));
        }
        lost.add("it runs AArch32 code, of whose registers r0 to r7 and the program counter are shown");
    }

    private void decodeSystem() {
        Optional<DeviceFields.Field> found = system(fields);
        if (found.isEmpty()) {
            return;
        }
        DeviceFields.Field indexes = found.get();
        DeviceFields.Field values = fields.field("cpreg_vmstate_values").orElseThrow();
        boolean kvm = false;
        for (long i = 0; i < indexes.count(); i++) {
            long kind = fields.number(indexes, i) >>> Short.SIZE;
            kvm |= kind == FIRMWARE || kind == FIRMWARE_FEATURES;
        }
        List<String> nameless = new ArrayList<>();
        for (long i = 0; i < indexes.count(); i++) {
            long index = fields.number(indexes, i);
            if (index >>> Short.SIZE == SYSTEM) {
                int encoding = architectural((int) index & 0xffff, kvm);
                long value = fields.number(values, i);
                Optional<Register> register = Arm64SystemRegisters.ofEncoding(encoding);
                register.ifPresent(known -> registers.set(known, value));
                if (register.isEmpty() && value != 0) {
                    nameless.add(Arm64SystemRegisters.generic(encoding) + " = 0x" + Long.toHexString(value));
                }
            }
        }
        if (!nameless.isEmpty()) {
            lost.add("system registers without a name here are left out: "
                    + String.join(", ", nameless.subList(0, Math.min(MOST_NAMED, nameless.size())))
                    + (nameless.size() > MOST_NAMED ? ", and " + (nameless.size() - MOST_NAMED) + " more" : ""));
        }
    }

    /** KVM has numbers of its own for the virtual counter and its comparator, by an old mistake: each other's. */
    private static int architectural(int encoding, boolean kvm) {
        int counter = 3 << 14 | 3 << 11 | 14 << 7 | 2;
        int comparator = 3 << 14 | 3 << 11 | 14 << 7 | 3 << 3 | 2;
        if (!kvm || encoding != counter && encoding != comparator) {
            return encoding;
        }
        return encoding == counter ? comparator : counter;
    }

    private void decodeFloating() {
        for (int i = 0; i < VECTORS; i++) {
            String name = "env.vfp.zregs[" + i + "].d";
            if (fields.isNumbers(name, 2)) {
                registers.set(Arm64.v(i), words(fields.field(name).orElseThrow().offset(), 2, VECTOR_BYTES));
            }
        }
        if (fields.isNumbers("fpscr", 1)) {
            long both = fields.number(fields.field("fpscr").orElseThrow(), 0);
            registers.set(Arm64.FPSR, both & STATUS_BITS);
            registers.set(Arm64.FPCR, both & CONTROL_BITS);
        }
        for (String name : List.of("fpcr", "fpsr")) {
            if (fields.isNumbers(name, 1)) {
                registers.set(Arm64.system(name), fields.number(fields.field(name).orElseThrow(), 0));
            }
        }
    }

    /** So many little-endian bytes from u64 of the data, the lowest first; what the data does not have is zero. */
    private byte[] words(long offset, long count, int size) {
        byte[] bytes = new byte[size];
        for (int i = 0; i < Math.min(count * Long.BYTES, size); i++) {
            long word = fields.number(offset + (long) i / Long.BYTES * Long.BYTES, Long.BYTES);
            bytes[i] = (byte) (word >>> i % Long.BYTES * Byte.SIZE);
        }
        return bytes;
    }

    private void decodeScalable() {
        RegisterState known = registers.build();
        Optional<DeviceFields.Field> upper = fields.field("env.vfp.zregs")
                .filter(field -> field.count() == VECTORS && field.size() % VECTOR_BYTES == 0);
        Optional<DeviceFields.Field> predicates = fields.field("env.vfp.pregs")
                .filter(field -> field.count() == PREDICATES + 1 && field.size() == 4L * Long.BYTES);
        Register control = Arm64.system("zcr_el1");
        if (upper.isPresent() && predicates.isPresent() && known.knows(control)) {
            int length = VECTOR_BYTES * (int) ((known.get(control) & LENGTH) + 1);
            if (length > VECTOR_BYTES + upper.get().size()) {
                lost.add("of its SVE vectors of " + length + " bytes the stream holds "
                        + (VECTOR_BYTES + upper.get().size()) + ", so that z0 to z31 are left out");
            } else {
                decodeVectors(known, upper.get(), length);
            }
            decodePredicates(predicates.get(), length / Byte.SIZE);
            registers.set(Arm64.VG, length / Long.BYTES);
        }
        decodeArray(known);
    }

    private void decodeVectors(RegisterState known, DeviceFields.Field upper, int length) {
        for (int i = 0; i < VECTORS; i++) {
            if (known.knows(Arm64.v(i))) {
                byte[] whole = new byte[length];
                System.arraycopy(known.bytes(Arm64.v(i)), 0, whole, 0, VECTOR_BYTES);
                byte[] more =
                        words(upper.offset() + upper.size() * i, upper.size() / Long.BYTES, length - VECTOR_BYTES);
                System.arraycopy(more, 0, whole, VECTOR_BYTES, more.length);
                registers.set(Arm64.z(i), whole);
            }
        }
    }

    private void decodePredicates(DeviceFields.Field predicates, int length) {
        for (int i = 0; i <= PREDICATES; i++) {
            byte[] bytes = words(predicates.offset() + predicates.size() * i, 4, length);
            registers.set(i == PREDICATES ? Arm64.FFR : Arm64.p(i), bytes);
        }
    }

    private void decodeArray(RegisterState known) {
        Register length = Arm64.system("smcr_el1");
        boolean on = (known.getOrElse(Arm64.system("svcr"), 0) & ARRAY_ON) != 0;
        Optional<DeviceFields.Field> rows = fields.field("env.zarray").filter(field -> field.size() % Long.BYTES == 0);
        if (!on || rows.isEmpty() || !known.knows(length)) {
            return;
        }
        int bytes = VECTOR_BYTES * (int) ((known.get(length) & LENGTH) + 1);
        if (rows.get().count() < bytes || rows.get().size() < bytes) {
            lost.add("of its array ZA of " + bytes + " times " + bytes
                    + " bytes the stream does not hold all; it is left out");
            return;
        }
        byte[] array = new byte[bytes * bytes];
        for (int row = 0; row < bytes; row++) {
            byte[] content =
                    words(rows.get().offset() + rows.get().size() * row, rows.get().size() / Long.BYTES, bytes);
            System.arraycopy(content, 0, array, row * bytes, bytes);
        }
        registers.set(Arm64.ZA, array);
    }
}

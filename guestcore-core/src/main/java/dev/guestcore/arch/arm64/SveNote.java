package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * NT_ARM_SVE, and NT_ARM_SSVE, which has the same of SME's streaming mode (Linux, Documentation/arch/arm64/sve.rst; struct
 * user_sve_header). Vectors are little-endian in every dump.
 *
 * <pre>
 *  0  u32 size, u32 largest size; u16 length of a vector in bytes, a multiple of 16; u16 largest length
 * 12  u16 flags: bit 0 set if registers of SVE follow, else those of NT_PRFPREG; u16 reserved
 * 16  z0 to z31; p0 to p15, each an eighth as long; ffr; at a multiple of 16 u32 fpsr, u32 fpcr
 * </pre>
 *
 * @param type n_type
 * @param written whether QEMU writes this note
 */
record SveNote(long type, boolean written) implements RegisterNote {

    private static final int HEADER = 16;
    private static final int VECTORS = 32;
    private static final int PREDICATES = 16;
    private static final int QUADWORD = 16;
    private static final int LONGEST = 256;

    @Override
    public String owner() {
        return LINUX;
    }

    @Override
    public RegisterState read(byte[] descriptor, ByteOrder order, RegisterState known) {
        ByteBuffer note = ByteBuffer.wrap(descriptor).order(order);
        if (descriptor.length < HEADER) {
            return RegisterState.unknown();
        }
        int length = note.getShort(8) & 0xffff;
        boolean scalable = (note.getShort(12) & 1) != 0;
        if (!scalable || length == 0 || length > LONGEST || length % QUADWORD != 0
                || size(length) > descriptor.length) {
            return RegisterState.unknown();
        }
        RegisterState.Builder registers = RegisterState.builder();
        registers.set(Arm64.VG, length / Long.BYTES);
        int at = HEADER;
        for (int i = 0; i < VECTORS; i++, at += length) {
            registers.set(Arm64.z(i), Arrays.copyOfRange(descriptor, at, at + length));
            registers.set(Arm64.v(i), Arrays.copyOfRange(descriptor, at, at + QUADWORD));
        }
        for (int i = 0; i <= PREDICATES; i++, at += length / Byte.SIZE) {
            registers.set(predicate(i), Arrays.copyOfRange(descriptor, at, at + length / Byte.SIZE));
        }
        registers.set(Arm64.FPSR, note.getInt(size(length) - 8));
        registers.set(Arm64.FPCR, note.getInt(size(length) - 4));
        return registers.build();
    }

    private static Register predicate(int number) {
        return number == PREDICATES ? Arm64.FFR : Arm64.p(number);
    }

    private static int size(int length) {
        int end = HEADER + VECTORS * length + (PREDICATES + 1) * length / Byte.SIZE;
        return (end + QUADWORD - 1) / QUADWORD * QUADWORD + 8;
    }

    @Override
    public Optional<byte[]> write(RegisterState registers, ByteOrder order) {
        if (!written || !places().stream().allMatch(registers::knows)) {
            return Optional.empty();
        }
        int length = (int) registers.get(Arm64.VG) * Long.BYTES;
        boolean alike = places().stream()
                .filter(Register::isScalable)
                .allMatch(register -> registers.bytes(register).length == (register.label().startsWith("z") ? length
                        : length / Byte.SIZE));
        if (!alike) {
            return Optional.empty();
        }
        ByteBuffer note = ByteBuffer.allocate(size(length)).order(order);
        note.putInt(0, size(length)).putInt(4, size(length)).putShort(8, (short) length).putShort(10, (short) length);
        note.putShort(12, (short) 1);
        note.position(HEADER);
        for (int i = 0; i < VECTORS; i++) {
            note.put(registers.bytes(Arm64.z(i)));
        }
        for (int i = 0; i <= PREDICATES; i++) {
            note.put(registers.bytes(predicate(i)));
        }
        note.putInt(size(length) - 8, (int) registers.get(Arm64.FPSR));
        note.putInt(size(length) - 4, (int) registers.get(Arm64.FPCR));
        return Optional.of(note.array());
    }

    @Override
    public List<Register> places() {
        List<Register> places = new ArrayList<>(List.of(Arm64.VG, Arm64.FPSR, Arm64.FPCR));
        for (int i = 0; i < VECTORS; i++) {
            places.add(Arm64.z(i));
        }
        for (int i = 0; i <= PREDICATES; i++) {
            places.add(predicate(i));
        }
        return places;
    }
}

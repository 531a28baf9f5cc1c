package dev.guestcore.arch.riscv64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * NT_RISCV_VECTOR (Linux, arch/riscv/include/uapi/asm/ptrace.h, struct __riscv_v_regset_state): u64 vstart, vl, vtype, vcsr,
 * vlenb, then v0 to v31 of vlenb bytes each.
 */
record VectorNote() implements RegisterNote {

    private static final int TYPE = 0x901;
    private static final List<String> HEAD = List.of("vstart", "vl", "vtype", "vcsr", "vlenb");
    private static final int HEADER = 5 * Long.BYTES;
    private static final int VECTORS = 32;
    private static final int LONGEST = 8192;

    @Override
    public String owner() {
        return LINUX;
    }

    @Override
    public long type() {
        return TYPE;
    }

    @Override
    public RegisterState read(byte[] descriptor, ByteOrder order, RegisterState known) {
        if (descriptor.length < HEADER) {
            return RegisterState.unknown();
        }
        ByteBuffer note = ByteBuffer.wrap(descriptor).order(order);
        RegisterState.Builder registers = RegisterState.builder();
        HEAD.forEach(label -> registers.set(Riscv64.named(label), note.getLong()));
        long length = note.getLong(HEADER - Long.BYTES);
        if (length > 0 && length <= LONGEST && descriptor.length >= HEADER + VECTORS * length) {
            for (int i = 0; i < VECTORS; i++) {
                int at = HEADER + i * (int) length;
                registers.set(Riscv64.named("v" + i), Arrays.copyOfRange(descriptor, at, at + (int) length));
            }
        }
        return registers.build();
    }

    @Override
    public Optional<byte[]> write(RegisterState registers, ByteOrder order) {
        if (!places().stream().allMatch(registers::knows)) {
            return Optional.empty();
        }
        int length = (int) registers.get(Riscv64.named("vlenb"));
        ByteBuffer note = ByteBuffer.allocate(HEADER + VECTORS * length).order(order);
        HEAD.forEach(label -> note.putLong(registers.get(Riscv64.named(label))));
        for (int i = 0; i < VECTORS; i++) {
            byte[] value = registers.bytes(Riscv64.named("v" + i));
            if (value.length != length) {
                return Optional.empty();
            }
            note.put(value);
        }
        return Optional.of(note.array());
    }

    @Override
    public List<Register> places() {
        List<Register> places = new ArrayList<>();
        HEAD.forEach(label -> places.add(Riscv64.named(label)));
        Stream.iterate(0, i -> i < VECTORS, i -> i + 1).forEach(i -> places.add(Riscv64.named("v" + i)));
        return places;
    }
}

package dev.guestcore.arch.s390x;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/** NT_S390_VXRS_LOW: the lower halves of v0 to v15, whose upper halves are f0 to f15 (Linux, arch/s390/kernel/ptrace.c). */
record LowerHalvesNote() implements RegisterNote {

    private static final int TYPE = 0x309;
    private static final int COUNT = 16;

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
        RegisterState.Builder registers = RegisterState.builder();
        ByteBuffer note = ByteBuffer.wrap(descriptor).order(order);
        for (int i = 0; i < COUNT && descriptor.length >= COUNT * Long.BYTES; i++) {
            if (known.knows(S390x.f(i))) {
                byte[] whole = ByteBuffer.allocate(2 * Long.BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(note.getLong())
                        .putLong(known.get(S390x.f(i)))
                        .array();
                registers.set(S390x.v(i), whole);
            }
        }
        return registers.build();
    }

    @Override
    public Optional<byte[]> write(RegisterState registers, ByteOrder order) {
        if (!places().stream().allMatch(registers::knows)) {
            return Optional.empty();
        }
        ByteBuffer note = ByteBuffer.allocate(COUNT * Long.BYTES).order(order);
        for (int i = 0; i < COUNT; i++) {
            note.putLong(ByteBuffer.wrap(registers.bytes(S390x.v(i))).order(ByteOrder.LITTLE_ENDIAN).getLong());
        }
        return Optional.of(note.array());
    }

    @Override
    public List<Register> places() {
        return IntStream.range(0, COUNT).mapToObj(S390x::v).toList();
    }
}

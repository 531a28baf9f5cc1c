package dev.guestcore.arch.arm64;

import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterNote;
import dev.guestcore.cpu.RegisterState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * NT_ARM_ZA, SME's array (Linux, Documentation/arch/arm64/sme.rst; struct user_za_header): the header of {@link SveNote}, and
 * behind it as many rows as a row has bytes, or nothing while the array is off. Read only: no dump of a machine has it.
 */
record ZaNote() implements RegisterNote {

    private static final int TYPE = 0x40c;
    private static final int HEADER = 16;
    private static final int LONGEST = 256;

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
        if (descriptor.length <= HEADER) {
            return RegisterState.unknown();
        }
        int length = ByteBuffer.wrap(descriptor).order(order).getShort(8) & 0xffff;
        if (length == 0 || length > LONGEST || descriptor.length < HEADER + length * length) {
            return RegisterState.unknown();
        }
        return RegisterState.builder()
                .set(Arm64.ZA, Arrays.copyOfRange(descriptor, HEADER, HEADER + length * length))
                .build();
    }

    @Override
    public Optional<byte[]> write(RegisterState registers, ByteOrder order) {
        return Optional.empty();
    }

    @Override
    public List<Register> places() {
        return List.of(Arm64.ZA);
    }
}

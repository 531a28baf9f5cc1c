package dev.guestcore.cpu;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/** A note whose registers lie one behind the other, each in the byte order of the dump. Immutable. */
public final class NoteLayout implements RegisterNote {

    private final String owner;
    private final long type;
    private final int size;
    private final List<Slot> slots = new ArrayList<>();

    private record Slot(Register register, int offset, int bytes) {}

    /**
     * A layout.
     *
     * @param size of the descriptor in bytes
     * @param registers by label
     * @param order labels of the registers, {@code x0..x30} for a series, each as wide as it is; "-4" or "-8" for so many bytes
     *     that are none
     */
    public NoteLayout(
            String owner,
            long type,
            int size,
            Function<String, Optional<? extends Register>> registers,
            String order) {
        this.owner = owner;
        this.type = type;
        this.size = size;
        int offset = 0;
        for (String label : RegisterTable.labels(order).toList()) {
            if (label.startsWith("-")) {
                offset += Integer.parseInt(label.substring(1));
                continue;
            }
            Register register = registers.apply(label).orElseThrow();
            slots.add(new Slot(register, offset, register.bits() / Byte.SIZE));
            offset += register.bits() / Byte.SIZE;
        }
        if (offset > size) {
            throw new IllegalArgumentException(offset + " bytes of registers in a note of " + size);
        }
    }

    @Override
    public String owner() {
        return owner;
    }

    @Override
    public long type() {
        return type;
    }

    @Override
    public RegisterState read(byte[] descriptor, ByteOrder order, RegisterState known) {
        RegisterState.Builder registers = RegisterState.builder();
        for (Slot slot : slots) {
            if (slot.offset() + slot.bytes() <= descriptor.length) {
                registers.set(slot.register(), copy(descriptor, slot.offset(), slot.bytes(), order));
            }
        }
        return registers.build();
    }

    @Override
    public Optional<byte[]> write(RegisterState registers, ByteOrder order) {
        if (!slots.stream().allMatch(slot -> registers.knows(slot.register()))) {
            return Optional.empty();
        }
        byte[] descriptor = new byte[size];
        for (Slot slot : slots) {
            byte[] value = copy(registers.bytes(slot.register()), 0, slot.bytes(), order);
            System.arraycopy(value, 0, descriptor, slot.offset(), slot.bytes());
        }
        return Optional.of(descriptor);
    }

    @Override
    public List<Register> places() {
        return slots.stream().map(Slot::register).toList();
    }

    /** From a byte order to little-endian, or back. */
    private static byte[] copy(byte[] bytes, int offset, int count, ByteOrder order) {
        byte[] copy = new byte[count];
        for (int i = 0; i < count; i++) {
            copy[i] = bytes[order == ByteOrder.LITTLE_ENDIAN ? offset + i : offset + count - 1 - i];
        }
        return copy;
    }
}

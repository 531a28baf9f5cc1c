package dev.guestcore.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/**
 * How the descriptor of an NT_PRSTATUS note is laid out on one machine: Linux' {@code struct elf_prstatus}. Of it, dumps of
 * machines fill in the number of the process (where hypervisors put that of the vCPU) and the registers. In the byte order
 * of the dump; source: docs/formats/elf.md. Immutable.
 */
public final class StatusLayout {

    private final int size;
    private final int processOffset;
    private final int registersOffset;
    private final List<Slot> slots;
    private final int registersEnd;

    /**
     * A place.
     *
     * @param register empty for what says nothing of a machine, such as the number of a system call
     * @param bytes 4 or 8
     */
    private record Slot(Optional<Register> register, int offset, int bytes) {}

    /**
     * A layout.
     *
     * @param size of the structure in bytes
     * @param processOffset where pr_pid lies, of 4 bytes
     * @param registersOffset where pr_reg lies
     * @param registers by label
     * @param order labels of the registers, of which {@code x0..x30} is a series; "-" for a place that is none, and ":4" or ":8"
     *     before those that have so many bytes
     */
    public StatusLayout(
            int size,
            int processOffset,
            int registersOffset,
            Function<String, Optional<? extends Register>> registers,
            String order) {
        this.size = size;
        this.processOffset = processOffset;
        this.registersOffset = registersOffset;
        int offset = registersOffset;
        int bytes = Long.BYTES;
        List<Slot> placed = new ArrayList<>();
        for (String label : RegisterTable.labels(order).toList()) {
            if (label.startsWith(":")) {
                bytes = Integer.parseInt(label.substring(1));
                continue;
            }
            placed.add(new Slot(registers.apply(label).map(Register.class::cast), offset, bytes));
            offset += bytes;
        }
        this.slots = List.copyOf(placed);
        this.registersEnd = offset;
    }

    /** Size of the structure in bytes. */
    public int size() {
        return size;
    }

    /** Where the registers begin. */
    public int registersOffset() {
        return registersOffset;
    }

    /** Where the registers end. What follows, pr_fpvalid, says nothing of a machine, and not all writers have it. */
    public int registersEnd() {
        return registersEnd;
    }

    /** The registers that the structure has a place for. */
    public List<Register> registers() {
        return slots.stream().flatMap(slot -> slot.register().stream()).toList();
    }

    /** The number of the process. */
    public int process(byte[] descriptor, ByteOrder order) {
        return ByteBuffer.wrap(descriptor).order(order).getInt(processOffset);
    }

    /** Reads the registers of a descriptor that reaches to {@link #registersEnd} at least. */
    public RegisterState read(byte[] descriptor, ByteOrder order) {
        ByteBuffer source = ByteBuffer.wrap(descriptor).order(order);
        RegisterState.Builder registers = RegisterState.builder();
        for (Slot slot : slots) {
            long value = slot.bytes() == Long.BYTES
                    ? source.getLong(slot.offset())
                    : Integer.toUnsignedLong(source.getInt(slot.offset()));
            slot.register().ifPresent(register -> registers.set(register, value));
        }
        return registers.build();
    }

    /** The structure for a vCPU; a register that is not known is zero. */
    public byte[] write(int process, RegisterState registers, ByteOrder order) {
        ByteBuffer target = ByteBuffer.allocate(size).order(order);
        target.putInt(processOffset, process);
        for (Slot slot : slots) {
            long value = slot.register().map(register -> registers.getOrElse(register, 0)).orElse(0L);
            if (slot.bytes() == Long.BYTES) {
                target.putLong(slot.offset(), value);
            } else {
                target.putInt(slot.offset(), (int) value);
            }
        }
        return target.array();
    }

    /** Whether a descriptor as long as the structure says of the registers what {@code registers} does. */
    public boolean agrees(byte[] descriptor, ByteOrder order, RegisterState registers) {
        if (descriptor.length != size) {
            return false;
        }
        RegisterState raw = read(descriptor, order);
        return raw.known().stream()
                .allMatch(register -> registers.knows(register) && registers.get(register) == raw.get(register));
    }
}

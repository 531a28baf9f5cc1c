package dev.guestcore.cpu;

import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * An architecture with one ELF machine, 64-bit addresses and a table of registers: what most are. A family says the rest in
 * the methods that it overrides. Immutable.
 */
public abstract class TabledArchitecture implements Architecture {

    private final String name;
    private final String title;
    private final ElfMachine machine;
    private final Optional<ByteOrder> byteOrder;
    private final RegisterTable registers;
    private final Register instructionPointer;

    /**
     * An architecture.
     *
     * @param name as our files have it
     * @param title what people call it
     * @param machine as ELF files name it
     * @param byteOrder empty if it has both
     * @param registers all that have a name here
     * @param instructionPointer label of the register that says where a vCPU is
     */
    protected TabledArchitecture(
            String name,
            String title,
            ElfMachine machine,
            Optional<ByteOrder> byteOrder,
            RegisterTable registers,
            String instructionPointer) {
        this.name = name;
        this.title = title;
        this.machine = machine;
        this.byteOrder = byteOrder;
        this.registers = registers;
        this.instructionPointer = registers.named(instructionPointer);
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final String title() {
        return title;
    }

    @Override
    public Optional<String> linuxName(ByteOrder order) {
        return Optional.of(name);
    }

    @Override
    public final List<ElfMachine> machines() {
        return List.of(machine);
    }

    @Override
    public final OptionalInt addressBits() {
        return OptionalInt.of(Long.SIZE);
    }

    @Override
    public final Optional<ByteOrder> byteOrder() {
        return byteOrder;
    }

    @Override
    public final List<Register> registers() {
        return registers.registers();
    }

    @Override
    public final Optional<Register> register(String label) {
        return registers.find(label);
    }

    @Override
    public final Optional<Register> instructionPointer() {
        return Optional.of(instructionPointer);
    }

    /** The instruction pointer by its name: {@code pc 0xffffffff80000000}. */
    @Override
    public String position(RegisterState state) {
        return state.knows(instructionPointer)
                ? instructionPointer.label() + " " + state.hex(instructionPointer)
                : "";
    }

    @Override
    public final String toString() {
        return name;
    }
}

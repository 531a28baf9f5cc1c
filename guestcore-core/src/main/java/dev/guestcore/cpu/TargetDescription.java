package dev.guestcore.cpu;

import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;

/**
 * The registers that a debugger gets, in the order of their numbers, and the XML that tells it so (GDB manual, appendix
 * "Target Descriptions"). The standard features have the registers and types that gdb demands. Immutable.
 */
public final class TargetDescription {

    private final String triple;
    private final int addressBits;
    private final ByteOrder order;
    private final String xml;
    private final List<Slot> slots;

    /**
     * One register of the debugger's.
     *
     * @param bytes how many it has
     * @param value its little-endian value, as long as that; empty where the source does not know it
     */
    public record Slot(int bytes, Function<RegisterState, Optional<byte[]>> value) {

        /** Checks for null. */
        public Slot {
            Objects.requireNonNull(value);
        }
    }

    private TargetDescription(Builder builder) {
        triple = builder.triple;
        addressBits = builder.addressBits;
        order = builder.order;
        xml = builder.xml + "</target>\n";
        slots = List.copyOf(builder.slots);
    }

    /** What LLVM calls the processor ("x86_64-unknown-unknown"). */
    public String triple() {
        return triple;
    }

    /** Width of an address, 32 or 64. */
    public int addressBits() {
        return addressBits;
    }

    /** Byte order in which the debugger gets registers and reads memory. */
    public ByteOrder order() {
        return order;
    }

    /** The description, ASCII. */
    public String xml() {
        return xml;
    }

    /** The registers by number. */
    public List<Slot> slots() {
        return slots;
    }

    /** The value of a register in the order of the debugger; empty where the source does not know it. */
    public Optional<byte[]> value(int number, RegisterState registers) {
        Optional<byte[]> value = slots.get(number).value().apply(registers);
        return order == ByteOrder.LITTLE_ENDIAN ? value : value.map(TargetDescription::reversed);
    }

    private static byte[] reversed(byte[] littleEndian) {
        byte[] bytes = littleEndian.clone();
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = littleEndian[bytes.length - 1 - i];
        }
        return bytes;
    }

    /**
     * Begins a description.
     *
     * @param architecture name of it in gdb ("i386:x86-64")
     * @param triple name of it in LLVM
     * @param addressBits width of an address, 32 or 64
     * @param order byte order of registers and memory
     */
    public static Builder of(String architecture, String triple, int addressBits, ByteOrder order) {
        return new Builder(architecture, triple, addressBits, order);
    }

    /** Writes a description from front to back. Not thread-safe. */
    public static final class Builder {

        private final String triple;
        private final int addressBits;
        private final ByteOrder order;
        private final StringBuilder xml = new StringBuilder(8192);
        private final List<Slot> slots = new ArrayList<>();

        private Builder(String architecture, String triple, int addressBits, ByteOrder order) {
            this.triple = triple;
            this.addressBits = addressBits;
            this.order = order;
            xml.append("<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target>\n");
            xml.append("<architecture>").append(architecture).append("</architecture>\n");
        }

        /** Begins a feature. It knows its own types only. */
        public Builder begin(String feature) {
            xml.append("<feature name=\"").append(feature).append("\">\n");
            return this;
        }

        /** Ends it. */
        public Builder end() {
            xml.append("</feature>\n");
            return this;
        }

        /** Types as XML, lines with their ends. */
        public Builder types(String lines) {
            xml.append(lines);
            return this;
        }

        /** A type of named bits, given as {@code NAME:BIT NAME:BIT}. */
        public Builder flags(String name, int bytes, String bits) {
            xml.append("<flags id=\"").append(name).append("\" size=\"").append(bytes).append("\">\n");
            for (String bit : bits.split(" ", -1)) {
                int colon = bit.indexOf(':');
                String number = bit.substring(colon + 1);
                xml.append("<field name=\"").append(bit, 0, colon).append("\" start=\"").append(number);
                xml.append("\" end=\"").append(number).append("\"/>\n");
            }
            xml.append("</flags>\n");
            return this;
        }

        /**
         * A register.
         *
         * @param name name in the debugger
         * @param bits width
         * @param type its type
         * @param group one of gdb's groups; empty for none
         * @param value little-endian, at least as long or cut to the width; empty where the source does not know it
         */
        public Builder register(
                String name, int bits, String type, String group, Function<RegisterState, Optional<byte[]>> value) {
            xml.append("<reg name=\"").append(name).append("\" bitsize=\"").append(bits).append("\" type=\"")
                    .append(type);
            if (!group.isEmpty()) {
                xml.append("\" group=\"").append(group);
            }
            xml.append("\" regnum=\"").append(slots.size()).append("\"/>\n");
            int size = bits / Byte.SIZE;
            slots.add(new Slot(size, registers -> value.apply(registers).map(bytes -> Arrays.copyOf(bytes, size))));
            return this;
        }

        /** A register under the name and with the width that it has here. */
        public Builder register(Register register, String type, String group) {
            return register(register.label(), register.bits(), type, group, valueOf(register));
        }

        /** The description. */
        public TargetDescription build() {
            return new TargetDescription(this);
        }
    }

    /** The value of a register of ours. */
    public static Function<RegisterState, Optional<byte[]>> valueOf(Register register) {
        return registers -> registers.knows(register) ? Optional.of(registers.bytes(register)) : Optional.empty();
    }
}

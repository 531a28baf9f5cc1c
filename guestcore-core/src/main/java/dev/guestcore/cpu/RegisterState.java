package dev.guestcore.cpu;

import dev.guestcore.error.GuestcoreException;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/**
 * The registers of one vCPU, as far as the source knows them: a register that it does not know is absent, never zero.
 * Immutable.
 */
public final class RegisterState {

    private static final RegisterState EMPTY = new RegisterState(Map.of());

    /** Values little-endian, exactly as long as the register is wide; in the architecture's order. */
    private final Map<Register, byte[]> values;

    private RegisterState(Map<Register, byte[]> values) {
        this.values = values;
    }

    /** A state of which nothing is known. */
    public static RegisterState unknown() {
        return EMPTY;
    }

    /** Begins a state. */
    public static Builder builder() {
        return new Builder();
    }

    /** The registers that are known, in the architecture's order. */
    public Set<Register> known() {
        return values.keySet();
    }

    /** The architecture whose registers they are; empty if none is known. */
    public Optional<Architecture> architecture() {
        return values.keySet().stream().findFirst().map(Register::architecture);
    }

    /** Whether the source knows {@code register}. */
    public boolean knows(Register register) {
        return values.containsKey(register);
    }

    /**
     * The value of a register of at most 64 bits, zero-extended.
     *
     * @throws GuestcoreException if the source does not know the register
     */
    public long get(Register register) {
        if (register.bits() > Long.SIZE) {
            throw new IllegalArgumentException(register.label() + " is wider than 64 bits; use bytes()");
        }
        return littleEndian(require(register));
    }

    /** The value of a register of at most 64 bits, or {@code fallback} where the source does not know it. */
    public long getOrElse(Register register, long fallback) {
        return knows(register) ? get(register) : fallback;
    }

    /**
     * The value of a register of any width, little-endian, {@code bits/8} bytes; of a scalable one as many as it has in
     * this vCPU.
     *
     * @throws GuestcoreException if the source does not know the register
     */
    public byte[] bytes(Register register) {
        return require(register).clone();
    }

    /**
     * The value in hexadecimal, "0x" and no leading zeros; of a scalable register all digits, which tell its width.
     *
     * @throws GuestcoreException if the source does not know the register
     */
    public String hex(Register register) {
        byte[] bigEndian = require(register).clone();
        for (int i = 0; i < bigEndian.length / 2; i++) {
            byte swapped = bigEndian[i];
            bigEndian[i] = bigEndian[bigEndian.length - 1 - i];
            bigEndian[bigEndian.length - 1 - i] = swapped;
        }
        return "0x" + (register.isScalable()
                ? HexFormat.of().formatHex(bigEndian)
                : new BigInteger(1, bigEndian).toString(16));
    }

    /** The same state with some registers set anew. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.values.putAll(values);
        return builder;
    }

    private byte[] require(Register register) {
        byte[] value = values.get(register);
        if (value == null) {
            throw new GuestcoreException("the source does not know register " + register.label());
        }
        return value;
    }

    private static long littleEndian(byte[] bytes) {
        long value = 0;
        for (int i = bytes.length - 1; i >= 0; i--) {
            value = value << Byte.SIZE | bytes[i] & 0xff;
        }
        return value;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof RegisterState state
                && values.keySet().equals(state.values.keySet())
                && values.entrySet().stream()
                        .allMatch(entry -> Arrays.equals(entry.getValue(), state.values.get(entry.getKey())));
    }

    @Override
    public int hashCode() {
        return values.entrySet().stream()
                .mapToInt(entry -> entry.getKey().hashCode() ^ Arrays.hashCode(entry.getValue()))
                .sum();
    }

    @Override
    public String toString() {
        Map<String, String> texts = new LinkedHashMap<>();
        values.keySet().forEach(register -> texts.put(register.label(), hex(register)));
        return texts.toString();
    }

    /** Collects registers. Not thread-safe. */
    public static final class Builder {

        private final Map<Register, byte[]> values = new TreeMap<>(Builder::inTheirOrder);

        private Builder() {}

        private static int inTheirOrder(Register left, Register right) {
            if (left.architecture() != right.architecture()) {
                return left.architecture().name().compareTo(right.architecture().name());
            }
            return Integer.compare(left.ordinal(), right.ordinal());
        }

        /** Sets a register of at most 64 bits; bits above its width are cut off. */
        public Builder set(Register register, long value) {
            if (register.bits() > Long.SIZE) {
                throw new IllegalArgumentException(register.label() + " is wider than 64 bits; use set with bytes");
            }
            byte[] bytes = new byte[register.bits() / Byte.SIZE];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) (value >>> i * Byte.SIZE);
            }
            values.put(register, bytes);
            return this;
        }

        /** Sets a register of any width from {@code bits/8} little-endian bytes; of a scalable one, at most so many. */
        public Builder set(Register register, byte[] littleEndian) {
            boolean fits = register.isScalable() && littleEndian.length <= register.bits() / Byte.SIZE;
            if (!fits && littleEndian.length != register.bits() / Byte.SIZE) {
                throw new IllegalArgumentException(register.label() + " has " + register.bits() / Byte.SIZE
                        + " bytes, found " + littleEndian.length);
            }
            values.put(register, littleEndian.clone());
            return this;
        }

        /** Takes over every register that {@code other} knows. */
        public Builder setAll(RegisterState other) {
            values.putAll(other.values);
            return this;
        }

        /** Makes a register unknown. */
        public Builder forget(Register register) {
            values.remove(register);
            return this;
        }

        /** The state. */
        public RegisterState build() {
            Map<Register, byte[]> copy = new LinkedHashMap<>(values);
            return new RegisterState(Collections.unmodifiableMap(copy));
        }
    }
}

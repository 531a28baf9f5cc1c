package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import dev.guestcore.internal.text.Quantities;
import java.math.BigInteger;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Addresses and lengths on the command line; {@link Quantities} says how they are written. */
final class Quantity {

    private Quantity() {}

    /** An unsigned 64-bit address. */
    static final class Address implements ITypeConverter<Long> {

        @Override
        public Long convert(String text) {
            return parse(text, Long.SIZE, "an address").longValue();
        }
    }

    /** A length of at most 2^63 - 1 bytes. */
    static final class Length implements ITypeConverter<Long> {

        @Override
        public Long convert(String text) {
            return parse(text, Long.SIZE - 1, "a length").longValue();
        }
    }

    /** A range of addresses, both ends inclusive: {@code 0x1000-0x1fff}. */
    static final class Range implements ITypeConverter<AddressRange> {

        @Override
        public AddressRange convert(String text) {
            String[] ends = text.split("-", -1);
            if (ends.length != 2) {
                throw new TypeConversionException(
                        "'" + text + "' is not a range; write its first and last address as 0x1000-0x1fff");
            }
            Address address = new Address();
            long first = address.convert(ends[0]);
            long last = address.convert(ends[1]);
            if (Long.compareUnsigned(first, last) > 0) {
                throw new TypeConversionException("'" + text + "' is not a range; it ends before it begins");
            }
            return new AddressRange(first, last);
        }
    }

    private static BigInteger parse(String text, int bits, String what) {
        BigInteger value;
        try {
            value = Quantities.read(text);
        } catch (NumberFormatException e) {
            throw new TypeConversionException("'" + text + "' is not " + what + "; " + e.getMessage());
        }
        if (value.bitLength() > bits) {
            throw new TypeConversionException("'" + text + "' is too large for " + what);
        }
        return value;
    }
}

package dev.guestcore.cli;

import dev.guestcore.AddressRange;
import java.math.BigInteger;
import java.util.Locale;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Addresses and lengths as they are typed: decimal or {@code 0x} hexadecimal, with K, M, G, T for powers of 1024. */
final class Quantity {

    private static final String SUFFIXES = "kmgt";
    private static final int BITS_PER_SUFFIX = 10;

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
        String digits = text.toLowerCase(Locale.ROOT).replace("_", "");
        int shift = 0;
        boolean hex = digits.startsWith("0x");
        int suffix = digits.isEmpty() ? -1 : SUFFIXES.indexOf(digits.charAt(digits.length() - 1));
        if (suffix >= 0) {
            shift = (suffix + 1) * BITS_PER_SUFFIX;
            digits = digits.substring(0, digits.length() - 1);
        }
        digits = hex ? digits.substring(2) : digits;
        if (!digits.matches(hex ? "[0-9a-f]{1,32}" : "[0-9]{1,32}")) {
            throw new TypeConversionException(
                    "'" + text + "' is not " + what + "; write it as 4096, 0x1000, 4K, 1M or 2G");
        }
        BigInteger value = new BigInteger(digits, hex ? 16 : 10).shiftLeft(shift);
        if (value.bitLength() > bits) {
            throw new TypeConversionException("'" + text + "' is too large for " + what);
        }
        return value;
    }
}

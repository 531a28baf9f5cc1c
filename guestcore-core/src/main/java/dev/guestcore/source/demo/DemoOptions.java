package dev.guestcore.source.demo;

import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.text.Quantities;
import java.util.Set;
import java.util.TreeSet;

/**
 * What stands behind {@code demo:}.
 *
 * @param vcpus number of vCPUs
 * @param ram where RAM below 4 GiB ends, in bytes
 * @param failingPages guest-physical addresses of pages that cannot be read
 */
record DemoOptions(int vcpus, long ram, Set<Long> failingPages) {

    static final String KNOWN = "vcpus=N (1 to " + DemoLayout.MOST_VCPUS + "), ram=SIZE (4M to 1G), fail=ADDRESS (of a"
            + " page that cannot be read; may be repeated)";

    DemoOptions {
        failingPages = Set.copyOf(failingPages);
    }

    /**
     * Reads {@code name=value} pairs with commas between them.
     *
     * @throws UnsupportedRequestException if one is unknown or wrong
     */
    static DemoOptions parse(String locator) {
        int vcpus = 2;
        long ram = DemoLayout.DEFAULT_RAM;
        Set<Long> failing = new TreeSet<>();
        if (!locator.isBlank()) {
            for (String option : locator.split(",", -1)) {
                int equals = option.indexOf('=');
                String name = equals < 0 ? option : option.substring(0, equals);
                String value = equals < 0 ? "" : option.substring(equals + 1);
                switch (name) {
                    case "vcpus" -> vcpus = (int) number(option, value, 1, DemoLayout.MOST_VCPUS, 1);
                    case "ram" -> ram = number(
                            option, value, DemoLayout.LEAST_RAM, DemoLayout.MOST_RAM, DemoLayout.PAGE_SIZE);
                    case "fail" -> failing.add(number(option, value, 0, Long.MAX_VALUE, DemoLayout.PAGE_SIZE));
                    default -> throw new UnsupportedRequestException(
                            "demo: has no option '" + option + "'; known are " + KNOWN);
                }
            }
        }
        return new DemoOptions(vcpus, ram, failing);
    }

    private static long number(String option, String value, long least, long most, long multiple) {
        long number = Quantities.parse(value)
                .orElseThrow(() -> new UnsupportedRequestException(
                        "demo: option '" + option + "': expected " + Quantities.SYNTAX + ", found '" + value + "'"));
        if (number < least || number > most || number % multiple != 0) {
            throw new UnsupportedRequestException("demo: option '" + option + "': expected a "
                    + (multiple == 1 ? "number" : "multiple of " + multiple) + " from " + least + " to " + most
                    + ", found " + Long.toUnsignedString(number));
        }
        return number;
    }
}

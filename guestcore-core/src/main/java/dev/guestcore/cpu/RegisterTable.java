package dev.guestcore.cpu;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The registers of an architecture as a table, in the order in which they are shown. Immutable; so are its registers, of
 * which there is one object each.
 *
 * <pre>{@code
 * RegisterTable table = RegisterTable.of(() -> Architectures.ARM64)
 *         .and(Register.Group.GENERAL, 64, "x0..x30 sp pc pstate")
 *         .and(Register.Group.VECTOR, 128, "v0..v31")
 *         .build();
 * }</pre>
 */
public final class RegisterTable {

    private static final Pattern SERIES = Pattern.compile("([a-z]\\w*?)(\\d+)\\.\\.\\1(\\d+)");

    private final Map<String, Register> byLabel;

    private RegisterTable(Map<String, Register> byLabel) {
        this.byLabel = Collections.unmodifiableMap(new LinkedHashMap<>(byLabel));
    }

    /**
     * Begins a table.
     *
     * @param architecture whose registers they are; asked later, since it is usually made from the table
     */
    public static Builder of(Supplier<Architecture> architecture) {
        return new Builder(architecture);
    }

    /** All registers. */
    public List<Register> registers() {
        return List.copyOf(byLabel.values());
    }

    /** The register of that lower-case name. */
    public Optional<Register> find(String label) {
        return Optional.ofNullable(byLabel.get(label));
    }

    /**
     * The register of that name, which the caller knows to exist.
     *
     * @throws IllegalArgumentException if there is none
     */
    public Register named(String label) {
        Register register = byLabel.get(label);
        if (register == null) {
            throw new IllegalArgumentException("no register " + label);
        }
        return register;
    }

    /** Labels with blanks between them, of which {@code x0..x30} is a series. */
    public static Stream<String> labels(String text) {
        return Stream.of(text.split(" ")).flatMap(word -> {
            Matcher series = SERIES.matcher(word);
            return series.matches()
                    ? IntStream.rangeClosed(Integer.parseInt(series.group(2)), Integer.parseInt(series.group(3)))
                            .mapToObj(number -> series.group(1) + number)
                    : Stream.of(word);
        });
    }

    /** Collects registers. Not thread-safe. */
    public static final class Builder {

        private final Supplier<Architecture> architecture;
        private final Map<String, Register> byLabel = new LinkedHashMap<>();

        private Builder(Supplier<Architecture> architecture) {
            this.architecture = architecture;
        }

        /**
         * Adds registers of one group and width.
         *
         * @param group part of the processor
         * @param bits width of each
         * @param labels names with blanks between them; {@code x0..x30} is a series
         */
        public Builder and(Register.Group group, int bits, String labels) {
            labels(labels).forEach(label -> add(new Row(label, bits, false, group, architecture, byLabel.size())));
            return this;
        }

        /**
         * Adds registers that processors have in different widths.
         *
         * @param group part of the processor
         * @param most the most bits that one can have
         * @param labels names with blanks between them; {@code z0..z31} is a series
         */
        public Builder andScalable(Register.Group group, int most, String labels) {
            labels(labels).forEach(label -> add(new Row(label, most, true, group, architecture, byLabel.size())));
            return this;
        }

        private void add(Register register) {
            if (byLabel.putIfAbsent(register.label(), register) != null) {
                throw new IllegalArgumentException("register " + register.label() + " is in the table already");
            }
        }

        /** The table. */
        public RegisterTable build() {
            return new RegisterTable(byLabel);
        }
    }

    /** One register; there is one object of each, so that they are compared with {@code ==}. */
    private static final class Row implements Register {

        private final String label;
        private final int bits;
        private final boolean scalable;
        private final Group group;
        private final Supplier<Architecture> owner;
        private final int ordinal;

        Row(String label, int bits, boolean scalable, Group group, Supplier<Architecture> owner, int ordinal) {
            this.label = label;
            this.bits = bits;
            this.scalable = scalable;
            this.group = group;
            this.owner = owner;
            this.ordinal = ordinal;
        }

        @Override
        public String label() {
            return label;
        }

        @Override
        public int bits() {
            return bits;
        }

        @Override
        public boolean isScalable() {
            return scalable;
        }

        @Override
        public Group group() {
            return group;
        }

        @Override
        public Architecture architecture() {
            return owner.get();
        }

        @Override
        public int ordinal() {
            return ordinal;
        }

        @Override
        public String toString() {
            return label;
        }
    }
}

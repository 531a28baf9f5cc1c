package dev.guestcore.source.qemu;

import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.arm64.Arm64;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import java.math.BigInteger;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * The processors of which a guest can be captured, by QEMU's name of them, and what the monitor prints of their vCPUs for
 * {@code info registers -a}. That of x86 reads {@link RegisterDump}.
 *
 * <pre>
 * aarch64   PC=... X00=... SP=... PSTATE=... FPCR=... Q00=upper:lower, or with SVE P00=... FFR=... and
 *           Z00[3-2]=q:q [1-0]=q:q, highest quadwords first; no system registers
 * riscv64   pc ..., mstatus ..., x1/ra ..., f0/ft0 ..., each with a hexadecimal number behind it
 * s390x     PSW=mask ... addr ... cc .., R00=... C00=... V00=...
 * </pre>
 */
enum MonitorProcessor {

    X86_64("x86_64", Architectures.X86),
    I386("i386", Architectures.X86),
    AARCH64("aarch64", Architectures.ARM64) {
        @Override
        RegisterState read(int cpu, String text) {
            return arm64(cpu, text);
        }
    },
    RISCV64("riscv64", Architectures.RISCV64) {
        @Override
        RegisterState read(int cpu, String text) {
            return named(text, RISCV);
        }
    },
    S390X("s390x", Architectures.S390X) {
        @Override
        RegisterState read(int cpu, String text) {
            return s390x(text);
        }
    };

    private static final Pattern RISCV = Pattern.compile("(?:[xf]\\d+/)?([a-z]\\w*) +([0-9a-f]{8,16})\\b");
    private static final Pattern ARM = Pattern.compile("\\b(PC|X\\d\\d|SP|PSTATE|FPCR|FPSR)=\\s*([0-9a-f]{8,16})\\b");
    private static final Pattern ARM_VECTOR = Pattern.compile("\\bQ(\\d\\d)=([0-9a-f]{16}):([0-9a-f]{16})\\b");
    private static final Pattern SVE_PREDICATE = Pattern.compile("\\b(P\\d\\d|FFR)=((?:[0-9a-f]+:)*[0-9a-f]+)\\b");
    private static final Pattern SVE_VECTOR =
            Pattern.compile("\\bZ(\\d\\d)((?:\\s*(?:\\[[0-9a-f]+-?[0-9a-f]*])?=[0-9a-f:]+)+)");
    private static final Pattern PSW = Pattern.compile("\\bPSW=mask ([0-9a-f]{16}) addr ([0-9a-f]{16})\\b");
    private static final Pattern S390_REGISTER = Pattern.compile("\\b([RCVF])(\\d\\d)=([0-9a-f]{16,32})\\b");
    private static final int QUADWORD_DIGITS = 32;
    private static final int VECTOR_BYTES = 16;
    private static final int LONGEST_NAME = 100;

    private final String target;
    private final Architecture architecture;

    MonitorProcessor(String target, Architecture architecture) {
        this.target = target;
        this.architecture = architecture;
    }

    /** The processor that QEMU calls so in its answer to {@code query-target}. */
    static Optional<MonitorProcessor> ofTarget(String target) {
        return List.of(values()).stream().filter(one -> one.target.equals(target)).findFirst();
    }

    /** Those that are known, for the user. */
    static String known() {
        return List.of(values()).stream()
                .map(one -> one.architecture.name())
                .distinct()
                .collect(Collectors.joining(", "));
    }

    Architecture architecture() {
        return architecture;
    }

    boolean isX86() {
        return architecture == Architectures.X86;
    }

    /**
     * The registers of every vCPU, by QEMU's number of it.
     *
     * @throws SourceException if the text is not such a dump
     */
    Map<Integer, RegisterState> parse(String text) {
        return isX86() ? RegisterDump.parse(text) : RegisterDump.parse(text, this::complete);
    }

    private RegisterState complete(int cpu, String text) {
        RegisterState registers = read(cpu, text);
        Register pointer = architecture.instructionPointer().orElseThrow();
        if (!registers.knows(pointer)) {
            throw new SourceException("QEMU's monitor printed no " + pointer.label() + " for vCPU " + cpu + "; found: "
                    + QmpClient.printable(text.strip(), LONGEST_NAME));
        }
        return registers;
    }

    /** Reads what was printed of one vCPU. */
    RegisterState read(int cpu, String text) {
        throw new IllegalStateException(name());
    }

    /** Names and numbers, as far as registers are called so. */
    RegisterState named(String text, Pattern pattern) {
        RegisterState.Builder registers = RegisterState.builder();
        Matcher found = pattern.matcher(text);
        while (found.find()) {
            String value = found.group(2);
            architecture.register(found.group(1))
                    .ifPresent(register -> registers.set(register, Long.parseUnsignedLong(value, 16)));
        }
        return registers.build();
    }

    private static RegisterState arm64(int cpu, String text) {
        if (text.contains("R00=") && !text.contains("X00=")) {
            throw new SourceException("vCPU " + cpu + " runs AArch32 code, of which the registers are not known here");
        }
        RegisterState.Builder registers = RegisterState.builder();
        Matcher numbers = ARM.matcher(text);
        while (numbers.find()) {
            String label = numbers.group(1).toLowerCase(Locale.ROOT).replaceFirst("^x0(?=\\d)", "x");
            registers.set(Arm64.system(label), Long.parseUnsignedLong(numbers.group(2), 16));
        }
        Matcher vectors = ARM_VECTOR.matcher(text);
        while (vectors.find()) {
            set(Architectures.ARM64, registers, "v" + Integer.parseInt(vectors.group(1)),
                    vectors.group(2) + vectors.group(3), VECTOR_BYTES);
        }
        int length = scalable(registers, text);
        if (length > 0) {
            registers.set(Arm64.VG, length / Long.BYTES);
            Matcher predicates = SVE_PREDICATE.matcher(text);
            while (predicates.find()) {
                String label = predicates.group(1).toLowerCase(Locale.ROOT).replaceFirst("^p0(?=\\d)", "p");
                set(Architectures.ARM64, registers, label, predicates.group(2).replace(":", ""), length / Byte.SIZE);
            }
        }
        return registers.build();
    }

    /** The vectors of SVE; gives their length in bytes, 0 if none was printed. */
    private static int scalable(RegisterState.Builder registers, String text) {
        Matcher vectors = SVE_VECTOR.matcher(text);
        int length = 0;
        while (vectors.find()) {
            String digits = vectors.group(2).replaceAll("\\[[^\\]]*]|[^0-9a-f]", "");
            if (digits.length() % QUADWORD_DIGITS == 0 && Integer.parseInt(vectors.group(1)) < QUADWORD_DIGITS) {
                length = digits.length() / 2;
                String number = Integer.toString(Integer.parseInt(vectors.group(1)));
                set(Architectures.ARM64, registers, "z" + number, digits, length);
                set(Architectures.ARM64, registers, "v" + number, digits.substring(digits.length() - QUADWORD_DIGITS),
                        VECTOR_BYTES);
            }
        }
        return length;
    }

    private static RegisterState s390x(String text) {
        RegisterState.Builder registers = RegisterState.builder();
        Matcher word = PSW.matcher(text);
        if (word.find()) {
            set(Architectures.S390X, registers, "pswm", word.group(1), Long.BYTES);
            set(Architectures.S390X, registers, "pswa", word.group(2), Long.BYTES);
        }
        Matcher found = S390_REGISTER.matcher(text);
        while (found.find()) {
            int number = Integer.parseInt(found.group(2));
            String digits = found.group(3);
            boolean wide = digits.length() == QUADWORD_DIGITS;
            switch (found.group(1)) {
                case "R" -> set(Architectures.S390X, registers, "r" + number, digits, Long.BYTES);
                case "C" -> set(Architectures.S390X, registers, "cr" + number, digits, Long.BYTES);
                case "F" -> set(Architectures.S390X, registers, "f" + number, digits, Long.BYTES);
                default -> {
                    if (wide) {
                        set(Architectures.S390X, registers, "v" + number, digits, VECTOR_BYTES);
                        set(Architectures.S390X, registers, "f" + number, digits.substring(0, VECTOR_BYTES),
                                Long.BYTES);
                    }
                }
            }
        }
        return registers.build();
    }

    /** Sets a register if there is one of that name for a number of so many bytes, of hexadecimal digits. */
    private static void set(
            Architecture family, RegisterState.Builder registers, String label, String digits, int size) {
        BigInteger value = new BigInteger(digits, 16);
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = value.shiftRight(i * Byte.SIZE).byteValue();
        }
        family.register(label)
                .filter(register -> register.isScalable() || register.bits() == size * Byte.SIZE)
                .ifPresent(register -> registers.set(register, bytes));
    }
}

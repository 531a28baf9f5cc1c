package dev.guestcore.linux.types;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Members of members: {@code numbers[0].nr}. */
final class MemberPath {

    private static final int LONGEST = 1024;
    private static final Pattern SHAPE =
            Pattern.compile("[A-Za-z_$][\\w$]*+(?:\\.[A-Za-z_$][\\w$]*+|\\[[0-9]{1,9}])*+");
    private static final Pattern STEP = Pattern.compile("\\[([0-9]+)]|([A-Za-z_$][\\w$]*+)");

    private MemberPath() {}

    /** Whether a path is one name only. */
    static boolean isName(String path) {
        return !path.isEmpty() && path.indexOf('.') < 0 && path.indexOf('[') < 0;
    }

    static Optional<KernelMember> find(KernelType start, String path) {
        if (path.isEmpty()) {
            return Optional.empty();
        }
        if (path.length() > LONGEST || !SHAPE.matcher(path).matches()) {
            throw new TypesException("'" + path.substring(0, Math.min(path.length(), 64))
                    + "' is not the path of a member; write it like thread.sp or numbers[0].nr");
        }
        KernelType type = start;
        long bits = 0;
        int bitSize = 0;
        Matcher step = STEP.matcher(path);
        while (step.find()) {
            Optional<KernelMember> next = bitSize != 0 ? Optional.empty() : step(type, step);
            if (next.isEmpty()) {
                return Optional.empty();
            }
            bits = Math.addExact(bits, next.get().bitOffset());
            bitSize = next.get().bitSize();
            type = next.get().type();
        }
        return Optional.of(new KernelMember(path, type, bits, bitSize));
    }

    private static Optional<KernelMember> step(KernelType type, Matcher step) {
        KernelType plain = type.resolved();
        if (step.group(2) != null) {
            return plain.member(step.group(2));
        }
        if (plain.kind() != KernelType.Kind.ARRAY) {
            return Optional.empty();
        }
        KernelType element = plain.target().orElseThrow();
        try {
            long offset = Math.multiplyExact(
                    Math.multiplyExact(element.size(), Byte.SIZE), Long.parseLong(step.group(1)));
            return Optional.of(new KernelMember("", element, offset, 0));
        } catch (ArithmeticException _) {
            throw new TypesException("the place of element " + step.group(1) + " of " + plain + " is beyond 64 bits");
        }
    }
}

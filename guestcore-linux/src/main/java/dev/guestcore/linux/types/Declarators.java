package dev.guestcore.linux.types;

import java.util.List;
import java.util.stream.Collectors;

/** Types and declarations as C writes them. */
final class Declarators {

    /** A description that is damaged may nest without end. */
    private static final int DEEPEST = 16;

    private static final int MOST_PARAMETERS = 32;
    private static final int DEEPEST_PARAMETER = 2;

    private Declarators() {}

    /** {@code char name[16]}, or without a name the type alone. */
    static String declare(KernelType type, String name) {
        return declare(type, name, 0);
    }

    private static String declare(KernelType type, String name, int depth) {
        String declarator = name;
        boolean behindPointer = false;
        KernelType at = type;
        for (int i = 0; i < DEEPEST; i++) {
            switch (at.kind()) {
                case POINTER -> declarator = "*" + declarator;
                case ARRAY -> {
                    String count = at.count() == 0 ? "" : Long.toUnsignedString(at.count());
                    declarator = enclosed(declarator, behindPointer) + "[" + count + "]";
                }
                case FUNCTION ->
                        declarator =
                                enclosed(declarator, behindPointer) + "(" + parameters(at.parameters(), depth) + ")";
                default -> {
                    return declarator.isEmpty() ? base(at) : base(at) + " " + declarator;
                }
            }
            behindPointer = at.kind() == KernelType.Kind.POINTER;
            at = at.target().orElse(VoidType.VOID);
        }
        return "... " + declarator;
    }

    private static String enclosed(String declarator, boolean behindPointer) {
        return behindPointer ? "(" + declarator + ")" : declarator;
    }

    private static String parameters(List<KernelParameter> all, int depth) {
        if (all.isEmpty()) {
            return "void";
        }
        if (depth == DEEPEST_PARAMETER) {
            return "...";
        }
        String shown = all.stream()
                .limit(MOST_PARAMETERS)
                .map(each -> each.type() == VoidType.VOID && each.name().isEmpty()
                        ? "..."
                        : declare(each.type(), each.name(), depth + 1))
                .collect(Collectors.joining(", "));
        return all.size() > MOST_PARAMETERS ? shown + ", ..." : shown;
    }

    private static String base(KernelType type) {
        String name = type.name().isEmpty() ? "<anonymous>" : type.name();
        return switch (type.kind()) {
            case STRUCT -> "struct " + name;
            case UNION -> "union " + name;
            case ENUM -> "enum " + name;
            case FORWARD -> (type instanceof BtfType btf && btf.isUnion() ? "union " : "struct ") + name;
            default -> name;
        };
    }
}

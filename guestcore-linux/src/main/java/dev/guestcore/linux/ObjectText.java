package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;

/** Values as C writes them. Bounded, and whatever cannot be read is shown as such. */
final class ObjectText {

    private static final int DEEPEST = 4;
    private static final int MOST_ELEMENTS = 16;
    private static final int LONGEST = 64 << 10;

    private final KernelObject object;
    private final StringBuilder text = new StringBuilder();

    ObjectText(KernelObject object) {
        this.object = object;
    }

    String text() {
        KernelType.Kind kind = object.type().resolved().kind();
        if (kind == KernelType.Kind.STRUCT || kind == KernelType.Kind.UNION || kind == KernelType.Kind.ARRAY) {
            text.append("*(")
                    .append(object.linux().requireTypes().pointerTo(object.type()))
                    .append(")0x")
                    .append(Long.toHexString(object.address()))
                    .append(" = ");
        } else {
            text.append('(').append(object.type()).append(')');
        }
        value(object, 0);
        return text.toString();
    }

    private void value(KernelObject value, int depth) {
        if (text.length() > LONGEST) {
            text.append("...");
            return;
        }
        try {
            KernelType plain = value.type().resolved();
            switch (plain.kind()) {
                case STRUCT, UNION -> structure(value, plain, depth);
                case ARRAY -> array(value, plain, depth);
                case POINTER -> pointer(value, plain);
                case ENUM -> text.append(value.constant().orElseGet(() -> Long.toString(value.asLong())));
                case INTEGER -> text.append(plain.name().equals("_Bool")
                        ? String.valueOf(value.asBoolean())
                        : plain.isSigned() ? Long.toString(value.asLong()) : Long.toUnsignedString(value.asLong()));
                default -> text.append('?');
            }
        } catch (GuestcoreException e) {
            text.append("<").append(e.getMessage()).append('>');
        }
    }

    private void structure(KernelObject value, KernelType plain, int depth) {
        if (depth == DEEPEST) {
            text.append("{...}");
            return;
        }
        String indent = "\t".repeat(depth + 1);
        text.append("{\n");
        for (KernelMember member : plain.members()) {
            if (text.length() > LONGEST) {
                text.append(indent).append("...\n");
                break;
            }
            text.append(indent);
            if (!member.name().isEmpty()) {
                text.append('.').append(member.name()).append(" = ");
            }
            value(value.at(member), depth + 1);
            text.append(",\n");
        }
        text.append("\t".repeat(depth)).append('}');
    }

    private void array(KernelObject value, KernelType plain, int depth) {
        KernelType element = plain.target().orElseThrow().resolved();
        if (element.name().equals("char")) {
            quoted(value.string());
            return;
        }
        long shown = Math.min(plain.count(), MOST_ELEMENTS);
        text.append("{ ");
        for (long i = 0; i < shown; i++) {
            value(value.index(i), depth + 1);
            text.append(", ");
        }
        text.append(plain.count() > shown ? "... }" : "}");
    }

    private void pointer(KernelObject value, KernelType plain) {
        text.append("0x").append(Long.toHexString(value.asLong()));
        boolean code = plain.target().orElseThrow().kind() == KernelType.Kind.FUNCTION;
        if (code) {
            value.symbol().ifPresent(symbol -> text.append(" (").append(symbol).append(')'));
        }
    }

    private void quoted(String content) {
        text.append('"');
        content.codePoints().forEach(each -> {
            if (each == '"' || each == '\\') {
                text.append('\\').appendCodePoint(each);
            } else if (Character.isISOControl(each)) {
                text.append("\\x%02x".formatted(each));
            } else {
                text.appendCodePoint(each);
            }
        });
        text.append('"');
    }
}

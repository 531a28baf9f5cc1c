package dev.guestcore.json;

import dev.guestcore.AddressRange;
import java.io.OutputStream;
import java.io.Serial;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.PrettyPrinter;
import tools.jackson.core.SerializableString;
import tools.jackson.core.StreamWriteFeature;
import tools.jackson.core.io.CharacterEscapes;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.util.DefaultPrettyPrinter;
import tools.jackson.core.util.Separators;

/**
 * Facts for programs: maps (in their order), lists, strings, numbers, booleans, written as they are iterated. All but printable
 * ASCII is escaped. Thread-safe.
 */
public final class Json {

    /** Of all schemas. It grows when a member goes or changes its meaning, not when one is added. */
    public static final int VERSION = 1;

    private static final int LAST_ASCII = 0x7f;

    /** JSON may end up on a terminal, which obeys more characters than JSON itself escapes. */
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(StreamWriteFeature.AUTO_CLOSE_TARGET)
            .highestNonEscapedChar(LAST_ASCII)
            .characterEscapes(new WithRubout())
            .build();

    private static final class WithRubout extends CharacterEscapes {

        @Serial
        private static final long serialVersionUID = 1L;

        @Override
        public int[] getEscapeCodesForAscii() {
            int[] codes = CharacterEscapes.standardAsciiEscapesForJSON();
            codes[LAST_ASCII] = ESCAPE_STANDARD;
            return codes;
        }

        @Override
        public @Nullable SerializableString getEscapeSequence(int character) {
            return null;
        }
    }

    private Json() {}

    /** Writes one document, indented, and a line end. The target stays open. */
    public static void write(OutputStream target, Object document) {
        write(target, document, new ObjectWriteContext.Base() {
            @Override
            public PrettyPrinter getPrettyPrinter() {
                Separators separators = new Separators()
                        .withObjectNameValueSpacing(Separators.Spacing.AFTER)
                        .withObjectEmptySeparator("")
                        .withArrayEmptySeparator("");
                return new DefaultPrettyPrinter(separators);
            }

            @Override
            public boolean hasPrettyPrinter() {
                return true;
            }
        });
    }

    /** Writes one document in one line. The target stays open. */
    public static void writeLine(OutputStream target, Object document) {
        write(target, document, ObjectWriteContext.empty());
    }

    private static void write(OutputStream target, Object document, ObjectWriteContext context) {
        try (JsonGenerator generator = FACTORY.createGenerator(context, target)) {
            value(generator, document);
            generator.writeRaw(System.lineSeparator());
        }
    }

    private static void value(JsonGenerator generator, @Nullable Object value) {
        switch (value) {
            case Map<?, ?> map -> {
                generator.writeStartObject();
                map.forEach((name, member) -> {
                    generator.writeName(String.valueOf(name));
                    value(generator, member);
                });
                generator.writeEndObject();
            }
            case Iterable<?> list -> {
                generator.writeStartArray();
                list.forEach(element -> value(generator, element));
                generator.writeEndArray();
            }
            case Boolean flag -> generator.writeBoolean(flag);
            case Integer number -> generator.writeNumber(number);
            case Long number -> generator.writeNumber(number);
            case Double number -> generator.writeNumber(number);
            case null -> generator.writeNull();
            default -> generator.writeString(value.toString());
        }
    }

    /**
     * A document as it is printed: name and version of its schema first, which {@code docs/json} has.
     *
     * @param schema name of the schema
     */
    public static Map<String, Object> document(String schema, Map<String, ?> facts) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("schema", schema);
        document.put("version", VERSION);
        document.putAll(facts);
        return document;
    }

    /** An address, as a string because a number of JavaScript cannot hold 64 bits. */
    public static String address(long address) {
        return "0x" + Long.toHexString(address);
    }

    /** A range with both ends inclusive. */
    public static Map<String, Object> range(AddressRange range) {
        Map<String, Object> json = new LinkedHashMap<>();
        json.put("first", address(range.first()));
        json.put("last", address(range.last()));
        return json;
    }
}

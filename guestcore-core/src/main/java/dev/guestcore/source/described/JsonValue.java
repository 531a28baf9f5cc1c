package dev.guestcore.source.described;

import dev.guestcore.error.SourceException;
import dev.guestcore.internal.text.Quantities;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import tools.jackson.databind.JsonNode;

/**
 * A value in the described guest's file that knows where it stands, so that every error names the file, the place
 * ({@code regions[2].contents[0].size}), what was expected and what was found.
 */
final class JsonValue {

    private static final int LONGEST_EXCERPT = 60;

    private final String file;
    private final String path;
    private final JsonNode node;

    private JsonValue(String file, String path, JsonNode node) {
        this.file = file;
        this.path = path;
        this.node = node;
    }

    static JsonValue root(String file, JsonNode node) {
        return new JsonValue(file, "", node);
    }

    /** Where the value stands, for messages. */
    String path() {
        return path;
    }

    /** The error that this value is not what was expected. */
    SourceException wrong(String expected) {
        return error(expected, "found " + excerpt());
    }

    /** The error that this value breaks a rule. */
    SourceException error(String expected, String found) {
        return new SourceException(
                file + ": " + (path.isEmpty() ? "top level" : path) + ": expected " + expected + ", " + found);
    }

    private String excerpt() {
        if (node.isMissingNode()) {
            return "nothing";
        }
        if (node.isObject()) {
            return "an object";
        }
        if (node.isArray()) {
            return "an array";
        }
        return shorten(node.toString());
    }

    /** Fit for a line of text, whatever a hostile file has put in. */
    static String shorten(String text) {
        String shown = text.length() > LONGEST_EXCERPT ? text.substring(0, LONGEST_EXCERPT) + "…" : text;
        return shown.chars().anyMatch(Character::isISOControl) ? shown.replaceAll("\\p{Cntrl}", "?") : shown;
    }

    /** Checks that this is an object which has no other keys. */
    JsonValue only(String... known) {
        if (!node.isObject()) {
            throw wrong("an object");
        }
        List<String> allowed = Arrays.asList(known);
        for (String key : node.propertyNames()) {
            if (!allowed.contains(key)) {
                throw error("only the keys " + String.join(", ", allowed), "found '" + shorten(key) + "'");
            }
        }
        return this;
    }

    /** The keys of this object. */
    List<String> keys() {
        if (!node.isObject()) {
            throw wrong("an object");
        }
        return List.copyOf(node.propertyNames());
    }

    boolean has(String key) {
        return node.has(key);
    }

    Optional<JsonValue> find(String key) {
        return node.optional(key)
                .map(child -> new JsonValue(file, (path.isEmpty() ? "" : path + ".") + shorten(key), child));
    }

    JsonValue get(String key) {
        return find(key).orElseThrow(() -> error("the key '" + key + "'", "found none of that name"));
    }

    /** The elements of this array. */
    List<JsonValue> elements() {
        if (!node.isArray()) {
            throw wrong("an array");
        }
        List<JsonValue> elements = new ArrayList<>(node.size());
        for (int i = 0; i < node.size(); i++) {
            elements.add(new JsonValue(file, path + "[" + i + "]", node.get(i)));
        }
        return elements;
    }

    /** The elements of an array that may be missing. */
    List<JsonValue> elements(String key) {
        return find(key).map(JsonValue::elements).orElse(List.of());
    }

    boolean isText() {
        return node.isString();
    }

    String text() {
        if (!node.isString()) {
            throw wrong("a string");
        }
        return node.stringValue();
    }

    String text(String key, String fallback) {
        return find(key).map(JsonValue::text).orElse(fallback);
    }

    boolean flag() {
        if (!node.isBoolean()) {
            throw wrong("true or false");
        }
        return node.booleanValue();
    }

    /** Checks that a key whose presence says everything has the value true. */
    void requireTrue() {
        if (!node.isBoolean() || !node.booleanValue()) {
            throw wrong("true");
        }
    }

    /** A number of up to 64 bits, unsigned: an integer, or a string as {@link Quantities} takes it. */
    long number() {
        OptionalLong number = OptionalLong.empty();
        if (node.isIntegralNumber()) {
            BigInteger value = node.bigIntegerValue();
            if (value.signum() >= 0 && value.bitLength() <= Long.SIZE) {
                number = OptionalLong.of(value.longValue());
            }
        } else if (node.isString()) {
            number = Quantities.parse(node.stringValue());
        }
        return number.orElseThrow(() -> wrong("an unsigned 64-bit number, or as a string " + Quantities.SYNTAX));
    }

    long number(long least, long most) {
        long number = number();
        if (number < least || number > most) {
            throw wrong("a number from " + least + " to " + most);
        }
        return number;
    }

    long number(String key, long fallback) {
        return find(key).map(JsonValue::number).orElse(fallback);
    }

    /** Bytes in hexadecimal; blanks between them do not matter. */
    byte[] bytes() {
        String digits = text().replace(" ", "");
        if ((digits.length() & 1) != 0) {
            throw wrong("two hexadecimal digits for each byte");
        }
        try {
            return HexFormat.of().parseHex(digits);
        } catch (IllegalArgumentException e) {
            throw wrong("hexadecimal digits");
        }
    }
}

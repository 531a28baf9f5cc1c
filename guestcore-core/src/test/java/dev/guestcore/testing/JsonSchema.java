package dev.guestcore.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Checks documents against the schemas in {@code docs/json}: the part of JSON Schema that they use. A keyword that is
 * not known here is an error, so that no schema says more than is checked.
 */
public final class JsonSchema {

    /** Where the schemas lie, seen from a module. */
    public static final Path FOLDER = Path.of("..", "docs", "json");

    private static final Set<String> KNOWN = Set.of(
            "$schema", "$id", "$defs", "$ref", "title", "description", "type", "properties", "required",
            "additionalProperties", "items", "enum", "const", "pattern", "oneOf", "minimum", "maximum");

    private final Map<?, ?> root;

    private JsonSchema(Map<?, ?> root) {
        this.root = root;
    }

    /** The schema of that name. */
    public static JsonSchema named(String name) {
        try {
            return of(Files.readAllBytes(FOLDER.resolve(name + ".schema.json")));
        } catch (IOException e) {
            throw new AssertionError("no schema " + name, e);
        }
    }

    /** A schema as text. */
    public static JsonSchema of(byte[] text) {
        return new JsonSchema((Map<?, ?>) parse(text));
    }

    /** Checks a document against the schema that it names itself. */
    public static Map<?, ?> check(byte[] text) {
        Map<?, ?> document = (Map<?, ?>) parse(text);
        named(String.valueOf(document.get("schema"))).accepts(document);
        return document;
    }

    /** Checks a document. */
    public void accepts(Object document) {
        List<String> problems = problems(document);
        assertTrue(problems.isEmpty(), () -> String.join("\n", problems));
    }

    /** What is wrong with a document. */
    public List<String> problems(Object document) {
        List<String> problems = new ArrayList<>();
        check(root, document, "$", problems);
        return problems;
    }

    private void check(Map<?, ?> schema, Object value, String at, List<String> problems) {
        for (Object keyword : schema.keySet()) {
            if (!KNOWN.contains(keyword)) {
                problems.add(at + ": keyword " + keyword + " is not checked");
            }
        }
        if (schema.get("$ref") instanceof String reference) {
            Object target = ((Map<?, ?>) root.get("$defs")).get(reference.substring("#/$defs/".length()));
            check((Map<?, ?>) target, value, at, problems);
        }
        if (schema.get("oneOf") instanceof List<?> choices) {
            List<String> reasons = new ArrayList<>();
            int matching = 0;
            for (Object choice : choices) {
                List<String> found = new ArrayList<>();
                check((Map<?, ?>) choice, value, at, found);
                matching += found.isEmpty() ? 1 : 0;
                reasons.addAll(found);
            }
            if (matching != 1) {
                problems.add(at + ": matches " + matching + " of oneOf: " + reasons);
            }
        }
        if (schema.get("type") instanceof String type && !isOf(type, value)) {
            problems.add(at + ": not of type " + type + ": " + value);
            return;
        }
        if (schema.containsKey("const") && !schema.get("const").equals(value)) {
            problems.add(at + ": expected " + schema.get("const") + ", found " + value);
        }
        if (schema.get("enum") instanceof List<?> values && !values.contains(value)) {
            problems.add(at + ": " + value + " is none of " + values);
        }
        if (schema.get("pattern") instanceof String pattern && !((String) value).matches(pattern)) {
            problems.add(at + ": '" + value + "' does not match " + pattern);
        }
        if (schema.get("minimum") instanceof Number least && ((Number) value).doubleValue() < least.doubleValue()) {
            problems.add(at + ": " + value + " is below " + least);
        }
        if (schema.get("maximum") instanceof Number most && ((Number) value).doubleValue() > most.doubleValue()) {
            problems.add(at + ": " + value + " is above " + most);
        }
        if (value instanceof Map<?, ?> object) {
            checkMembers(schema, object, at, problems);
        }
        if (value instanceof List<?> list && schema.get("items") instanceof Map<?, ?> items) {
            for (int i = 0; i < list.size(); i++) {
                check(items, list.get(i), at + "[" + i + "]", problems);
            }
        }
    }

    private void checkMembers(Map<?, ?> schema, Map<?, ?> object, String at, List<String> problems) {
        Map<?, ?> properties = schema.get("properties") instanceof Map<?, ?> known ? known : Map.of();
        if (schema.get("required") instanceof List<?> required) {
            for (Object name : required) {
                if (!object.containsKey(name)) {
                    problems.add(at + ": lacks " + name);
                }
            }
        }
        Object others = schema.get("additionalProperties");
        object.forEach((name, member) -> {
            String place = at + "." + name;
            if (properties.get(name) instanceof Map<?, ?> known) {
                check(known, member, place, problems);
            } else if (others instanceof Map<?, ?> other) {
                check(other, member, place, problems);
            } else if (Boolean.FALSE.equals(others)) {
                problems.add(place + ": not in the schema");
            }
        });
    }

    private static boolean isOf(String type, Object value) {
        return switch (type) {
            case "object" -> value instanceof Map<?, ?>;
            case "array" -> value instanceof List<?>;
            case "string" -> value instanceof String;
            case "boolean" -> value instanceof Boolean;
            case "integer" -> value instanceof Long;
            case "number" -> value instanceof Number;
            default -> throw new AssertionError("type " + type);
        };
    }

    /** One JSON document. */
    public static Object parse(byte[] text) {
        try (JsonParser parser = JsonFactory.builder()
                .build()
                .createParser(ObjectReadContext.empty(), new ByteArrayInputStream(text))) {
            parser.nextToken();
            Object value = value(parser);
            assertEquals(null, parser.nextToken(), "more than one document");
            return value;
        }
    }

    private static Object value(JsonParser parser) {
        return switch (parser.currentToken()) {
            case START_OBJECT -> {
                Map<String, Object> map = new LinkedHashMap<>();
                while (parser.nextToken() != JsonToken.END_OBJECT) {
                    String name = parser.currentName();
                    parser.nextToken();
                    map.put(name, value(parser));
                }
                yield map;
            }
            case START_ARRAY -> {
                List<Object> list = new ArrayList<>();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    list.add(value(parser));
                }
                yield list;
            }
            case VALUE_STRING -> parser.getString();
            case VALUE_NUMBER_INT -> parser.getLongValue();
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            default -> throw new AssertionError("unexpected " + parser.currentToken());
        };
    }
}

package dev.guestcore.linux.export;

import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfKind;
import dev.guestcore.linux.types.BtfRecord;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;

/**
 * The types of a symbol table for Volatility 3, from BTF. The format has no other names for types, so those are
 * followed, and every structure has a name, so those without get one.
 */
final class IsfTypes {

    private static final int DEEPEST = 64;
    private static final int MEMBER_WORDS = 3;
    private static final int BIT_OFFSET_MASK = 0xffffff;
    private static final int BIT_SIZE_SHIFT = 24;
    private static final int SIGNED = 1;
    private static final int BOOL = 4;
    private static final String VOID = "{\"kind\":\"base\",\"name\":\"void\"}";

    private final Btf types;

    /** Of each name the largest structure, union or enumeration; other types of the same name are left out. */
    private final Map<String, Integer> chosen = new HashMap<>();

    IsfTypes(Btf types) {
        this.types = types;
        for (int id = 1; id < types.endId(); id++) {
            BtfRecord record = types.record(id);
            if (isNamedByTag(record.kind()) && record.nameOffset() != 0) {
                chosen.merge(category(record) + record.name(), id, (one, other) -> larger(one, other));
            }
        }
    }

    private int larger(int one, int other) {
        return size(other) > size(one) ? other : one;
    }

    private long size(int id) {
        BtfRecord record = types.record(id);
        return record.kind() == BtfKind.FWD ? -1 : record.size();
    }

    private static boolean isNamedByTag(BtfKind kind) {
        return switch (kind) {
            case STRUCT, UNION, FWD, ENUM, ENUM64 -> true;
            default -> false;
        };
    }

    /** Structures and unions share one table of the format, enumerations have another. */
    private static String category(BtfRecord record) {
        return isEnum(record.kind()) ? "enum " : "";
    }

    private static boolean isEnum(BtfKind kind) {
        return kind == BtfKind.ENUM || kind == BtfKind.ENUM64;
    }

    private static String name(BtfRecord record) {
        return record.nameOffset() == 0 ? "unnamed_" + record.id() : record.name();
    }

    private boolean isWritten(BtfRecord record) {
        return record.nameOffset() == 0 || Objects.equals(chosen.get(category(record) + record.name()), record.id());
    }

    void writeBaseTypes(JsonText json) {
        json.begin("base_types");
        base(json, "void", 0, false, "void");
        base(json, "pointer", types.pointerSize(), false, "int");
        Set<String> seen = new HashSet<>(Set.of("void", "pointer"));
        for (int id = 1; id < types.endId(); id++) {
            BtfRecord record = types.record(id);
            if (record.kind() == BtfKind.INT && seen.add(record.name())) {
                int encoding = record.word(0) >>> BIT_SIZE_SHIFT;
                boolean character = record.size() == 1 && record.name().endsWith("char");
                boolean signed = (encoding & SIGNED) != 0 || record.name().equals("char");
                String kind = (encoding & BOOL) != 0 ? "bool" : character ? "char" : "int";
                base(json, record.name(), record.size(), signed, kind);
            } else if (record.kind() == BtfKind.FLOAT && seen.add(record.name())) {
                base(json, record.name(), record.size(), true, "float");
            }
        }
        constantBases(json, seen);
        json.end();
    }

    private static void base(JsonText json, String name, long size, boolean signed, String kind) {
        json.begin(name)
                .number("size", size)
                .truth("signed", signed)
                .text("kind", kind)
                .text("endian", "little")
                .end();
    }

    void writeUserTypes(JsonText json) {
        json.begin("user_types");
        for (int id = 1; id < types.endId(); id++) {
            BtfRecord record = types.record(id);
            switch (record.kind()) {
                case STRUCT -> structure(json, record, "struct", record.size());
                case UNION -> structure(json, record, "union", record.size());
                case FWD -> structure(json, record, record.flag() ? "union" : "struct", 0);
                default -> {}
            }
        }
        json.end();
    }

    private void structure(JsonText json, BtfRecord record, String kind, long size) {
        if (!isWritten(record)) {
            return;
        }
        json.begin(name(record)).number("size", size).text("kind", kind).begin("fields");
        int members = record.kind() == BtfKind.FWD ? 0 : record.elements();
        Set<String> names = new HashSet<>();
        for (int i = 0; i < members; i++) {
            member(json, record, i, names);
        }
        json.end().end();
    }

    private void member(JsonText json, BtfRecord record, int index, Set<String> names) {
        int at = index * MEMBER_WORDS;
        int type = record.word(at + 1);
        int packed = record.word(at + 2);
        int bits = record.flag() ? packed >>> BIT_SIZE_SHIFT : 0;
        long offset = record.flag() ? packed & BIT_OFFSET_MASK : Integer.toUnsignedLong(packed);
        String stored = types.text(record.word(at));
        String name = stored.isEmpty() ? "unnamed_field_" + index : stored;
        if (!names.add(name)) {
            return;
        }
        json.begin(name);
        if (bits == 0) {
            json.value("type", describe(type, 0)).number("offset", offset / Byte.SIZE);
        } else {
            long unit = Math.max(1, types.type(type).size());
            long start = offset / (unit * Byte.SIZE) * unit;
            json.value(
                    "type",
                    "{\"kind\":\"bitfield\",\"bit_length\":" + bits + ",\"bit_position\":"
                            + (offset - start * Byte.SIZE) + ",\"type\":" + describe(type, 0) + "}")
                    .number("offset", start);
        }
        if (stored.isEmpty()) {
            json.truth("anonymous", true);
        }
        json.end();
    }

    void writeEnums(JsonText json) {
        json.begin("enums");
        for (int id = 1; id < types.endId(); id++) {
            BtfRecord record = types.record(id);
            if (isEnum(record.kind()) && isWritten(record)) {
                json.begin(name(record)).number("size", record.size()).text("base", baseOf(record)).begin("constants");
                Set<String> names = new HashSet<>();
                types.type(id).constants().forEach(constant -> {
                    if (names.add(constant.name())) {
                        json.number(constant.name(), constant.value());
                    }
                });
                json.end().end();
            }
        }
        json.end();
    }

    /** The integer of the same size. */
    private static String baseOf(BtfRecord record) {
        String name = switch ((int) record.size()) {
            case Byte.BYTES -> "char";
            case Short.BYTES -> "short";
            case Long.BYTES -> "long";
            default -> "int";
        };
        return (record.flag() ? "signed " : "unsigned ") + name;
    }

    /** What constants are of; compilers name these types in more than one way. */
    private static void constantBases(JsonText json, Set<String> seen) {
        Map<String, Integer> sizes =
                Map.of("char", Byte.BYTES, "short", Short.BYTES, "int", Integer.BYTES, "long", Long.BYTES);
        for (boolean signed : new boolean[] {true, false}) {
            new TreeMap<>(sizes).forEach((name, size) -> {
                String full = (signed ? "signed " : "unsigned ") + name;
                if (seen.add(full)) {
                    base(json, full, size, signed, "int");
                }
            });
        }
    }

    /** The type of a global variable. */
    String describe(Global global) {
        String json = describe(global.type(), 0);
        for (int i = 0; i < global.pointers(); i++) {
            json = "{\"kind\":\"pointer\",\"subtype\":" + json + "}";
        }
        return global.array()
                ? "{\"kind\":\"array\",\"count\":" + global.count() + ",\"subtype\":" + json + "}"
                : json;
    }

    private String describe(int id, int depth) {
        if (id == 0 || depth > DEEPEST) {
            return VOID;
        }
        BtfRecord record = types.record(id);
        return switch (record.kind()) {
            case INT, FLOAT -> named("base", record.name());
            case PTR -> "{\"kind\":\"pointer\",\"subtype\":" + describe(record.reference(), depth + 1) + "}";
            case ARRAY ->
                    "{\"kind\":\"array\",\"count\":" + Integer.toUnsignedString(record.word(2)) + ",\"subtype\":"
                            + describe(record.word(0), depth + 1) + "}";
            case STRUCT -> named("struct", name(record));
            case UNION -> named("union", name(record));
            case FWD -> named(record.flag() ? "union" : "struct", name(record));
            case ENUM, ENUM64 -> named("enum", name(record));
            case TYPEDEF, CONST, VOLATILE, RESTRICT, TYPE_TAG -> describe(record.reference(), depth + 1);
            case FUNC_PROTO -> "{\"kind\":\"function\"}";
            case VOID, FUNC, VAR, DATASEC, DECL_TAG, UNKNOWN -> VOID;
        };
    }

    private static String named(String kind, String name) {
        return "{\"kind\":\"" + kind + "\",\"name\":\"" + name.replace("\\", "\\\\").replace("\"", "\\\"") + "\"}";
    }
}

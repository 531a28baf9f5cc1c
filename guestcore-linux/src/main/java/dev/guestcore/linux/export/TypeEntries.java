package dev.guestcore.linux.export;

import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfKind;
import dev.guestcore.linux.types.BtfRecord;

/**
 * Turns records of BTF into entries of DWARF. An entry's size does not depend on where others lie, so that all places
 * are known before the first entry is written.
 */
final class TypeEntries {

    private static final int POINTER_BYTES = 8;
    private static final int DEEPEST = 64;

    private static final int ENCODING_BOOL = 2;
    private static final int ENCODING_FLOAT = 4;
    private static final int ENCODING_SIGNED = 5;
    private static final int ENCODING_SIGNED_CHAR = 6;
    private static final int ENCODING_UNSIGNED = 7;
    private static final int ENCODING_UNSIGNED_CHAR = 8;
    private static final int BTF_SIGNED = 1;
    private static final int BTF_BOOL = 4;

    private static final int MEMBER_WORDS = 3;
    private static final int BIT_OFFSET_MASK = 0xffffff;
    private static final int BIT_SIZE_SHIFT = 24;
    private static final int ADDRESS_OPERATION = 0x03;

    private final Btf types;

    /** Where each record's entry begins in its unit; 0 where it has none, or where that is not known yet. */
    private final int[] places;

    /** Link addresses of functions and variables of which there is one only; 0 for the others. */
    private final long[] addresses;

    private final long[] sizes;

    TypeEntries(Btf types) {
        this.types = types;
        places = new int[types.endId()];
        addresses = new long[types.endId()];
        sizes = new long[types.endId()];
    }

    /** Says where the entry of a record lies. */
    void place(int id, int place) {
        places[id] = place;
    }

    /** Says where a function lies. */
    void locate(int id, long address, long size) {
        addresses[id] = address;
        sizes[id] = size;
    }

    /** The record behind remarks on types, which have no entry; 0 for {@code void}. */
    int plain(int id) {
        int at = id;
        for (int i = 0; i < DEEPEST && at > 0 && at < types.endId(); i++) {
            if (types.record(at).kind() != BtfKind.TYPE_TAG) {
                return hasEntry(types.record(at).kind()) ? at : 0;
            }
            at = types.record(at).reference();
        }
        return 0;
    }

    private static boolean hasEntry(BtfKind kind) {
        return switch (kind) {
            case VOID, FUNC, VAR, DATASEC, DECL_TAG, TYPE_TAG, UNKNOWN -> false;
            default -> true;
        };
    }

    /** Writes the entry of a record, or nothing for one that has none. */
    void write(int id, Bytes out) {
        BtfRecord record = types.record(id);
        switch (record.kind()) {
            case INT -> integer(record, out);
            case FLOAT -> base(record, ENCODING_FLOAT, out);
            case PTR -> pointer(record.reference(), out);
            case ARRAY -> array(record.word(0), Integer.toUnsignedLong(record.word(2)), out);
            case STRUCT -> structure(record, Abbreviation.STRUCT, Abbreviation.STRUCT_WITHOUT_NAME, out);
            case UNION -> structure(record, Abbreviation.UNION, Abbreviation.UNION_WITHOUT_NAME, out);
            case ENUM, ENUM64 -> enumeration(record, out);
            case FWD ->
                    begin(record.flag() ? Abbreviation.UNION_DECLARED : Abbreviation.STRUCT_DECLARED, out)
                            .u32(record.nameOffset());
            case TYPEDEF -> {
                int target = plain(record.reference());
                begin(target == 0 ? Abbreviation.TYPEDEF_OF_VOID : Abbreviation.TYPEDEF, out).u32(record.nameOffset());
                reference(target, out);
            }
            case CONST -> qualifier(record, Abbreviation.CONST, Abbreviation.CONST_VOID, out);
            case VOLATILE -> qualifier(record, Abbreviation.VOLATILE, Abbreviation.VOLATILE_VOID, out);
            case RESTRICT -> qualifier(record, Abbreviation.RESTRICT, Abbreviation.RESTRICT_VOID, out);
            case FUNC_PROTO -> functionType(record, out);
            case FUNC -> function(record, out);
            case VAR -> variable(record, out);
            case VOID, DATASEC, DECL_TAG, TYPE_TAG, UNKNOWN -> {}
        }
    }

    private static Bytes begin(Abbreviation abbreviation, Bytes out) {
        return out.uleb(abbreviation.code());
    }

    private void reference(int target, Bytes out) {
        if (target != 0) {
            out.u32(places[target]);
        }
    }

    private void integer(BtfRecord record, Bytes out) {
        int encoding = record.word(0) >>> BIT_SIZE_SHIFT;
        boolean signed = (encoding & BTF_SIGNED) != 0;
        String name = record.name();
        boolean character = record.size() == 1 && name.endsWith("char");
        if ((encoding & BTF_BOOL) != 0) {
            base(record, ENCODING_BOOL, out);
        } else if (character) {
            // BTF says of char that it has no sign; on x86 and in C it has one.
            base(record, signed || name.equals("char") ? ENCODING_SIGNED_CHAR : ENCODING_UNSIGNED_CHAR, out);
        } else {
            base(record, signed ? ENCODING_SIGNED : ENCODING_UNSIGNED, out);
        }
    }

    private static void base(BtfRecord record, int encoding, Bytes out) {
        begin(Abbreviation.BASE_TYPE, out).u32(record.nameOffset()).uleb(record.size()).u8(encoding);
    }

    /** Writes a pointer to a record. */
    void pointer(int to, Bytes out) {
        int target = plain(to);
        begin(target == 0 ? Abbreviation.POINTER_TO_VOID : Abbreviation.POINTER, out).uleb(POINTER_BYTES);
        reference(target, out);
    }

    private void array(int of, long count, Bytes out) {
        int target = plain(of);
        arrayAt(target == 0 ? 0 : places[target], count, out);
    }

    /** Writes an array of what lies at a place. */
    static void arrayAt(int place, long count, Bytes out) {
        begin(Abbreviation.ARRAY, out).u32(place);
        if (count == 0) {
            begin(Abbreviation.RANGE_WITHOUT_BOUND, out);
        } else {
            begin(Abbreviation.RANGE, out).uleb(count - 1);
        }
        out.u8(0);
    }

    private void structure(BtfRecord record, Abbreviation named, Abbreviation unnamed, Bytes out) {
        name(record.nameOffset(), named, unnamed, out).uleb(record.size());
        for (int i = 0; i < record.elements(); i++) {
            member(record, i, out);
        }
        out.u8(0);
    }

    private static Bytes name(int offset, Abbreviation named, Abbreviation unnamed, Bytes out) {
        return offset == 0 ? begin(unnamed, out) : begin(named, out).u32(offset);
    }

    private void member(BtfRecord record, int index, Bytes out) {
        int at = index * MEMBER_WORDS;
        int name = record.word(at);
        int target = plain(record.word(at + 1));
        int packed = record.word(at + 2);
        int bits = record.flag() ? packed >>> BIT_SIZE_SHIFT : 0;
        long offset = record.flag() ? packed & BIT_OFFSET_MASK : Integer.toUnsignedLong(packed);
        int place = target == 0 ? 0 : places[target];
        if (bits == 0) {
            name(name, Abbreviation.MEMBER, Abbreviation.MEMBER_WITHOUT_NAME, out).u32(place).uleb(offset / Byte.SIZE);
        } else {
            name(name, Abbreviation.BIT_FIELD, Abbreviation.BIT_FIELD_WITHOUT_NAME, out)
                    .u32(place)
                    .uleb(bits)
                    .uleb(offset);
        }
    }

    private void enumeration(BtfRecord record, Bytes out) {
        boolean wide = record.kind() == BtfKind.ENUM64;
        int words = wide ? MEMBER_WORDS : 2;
        name(record.nameOffset(), Abbreviation.ENUM, Abbreviation.ENUM_WITHOUT_NAME, out).uleb(record.size());
        for (int i = 0; i < record.elements(); i++) {
            int at = i * words;
            int low = record.word(at + 1);
            long value = record.flag() && !wide ? low : Integer.toUnsignedLong(low);
            if (wide) {
                value |= (long) record.word(at + 2) << Integer.SIZE;
            }
            begin(Abbreviation.ENUMERATOR, out).u32(record.word(at)).sleb(value);
        }
        out.u8(0);
    }

    private void qualifier(BtfRecord record, Abbreviation of, Abbreviation ofVoid, Bytes out) {
        int target = plain(record.reference());
        begin(target == 0 ? ofVoid : of, out);
        reference(target, out);
    }

    private void functionType(BtfRecord record, Bytes out) {
        int result = plain(record.reference());
        begin(result == 0 ? Abbreviation.FUNCTION_TYPE_OF_VOID : Abbreviation.FUNCTION_TYPE, out);
        reference(result, out);
        parameters(record, out);
    }

    private void parameters(BtfRecord prototype, Bytes out) {
        for (int i = 0; i < prototype.elements(); i++) {
            int name = prototype.word(2 * i);
            int target = plain(prototype.word(2 * i + 1));
            if (target == 0) {
                begin(Abbreviation.FURTHER_PARAMETERS, out);
            } else {
                name(name, Abbreviation.PARAMETER, Abbreviation.PARAMETER_WITHOUT_NAME, out).u32(places[target]);
            }
        }
        out.u8(0);
    }

    private void function(BtfRecord record, Bytes out) {
        int prototype = plain(record.reference());
        if (addresses[record.id()] == 0 || prototype == 0 || types.record(prototype).kind() != BtfKind.FUNC_PROTO) {
            return;
        }
        int result = plain(types.record(prototype).reference());
        begin(result == 0 ? Abbreviation.FUNCTION_OF_VOID : Abbreviation.FUNCTION, out)
                .u32(record.nameOffset())
                .u64(addresses[record.id()])
                .u64(sizes[record.id()]);
        reference(result, out);
        parameters(types.record(prototype), out);
    }

    private void variable(BtfRecord record, Bytes out) {
        int target = plain(record.reference());
        if (sizes[record.id()] == 0 || target == 0) {
            return;
        }
        variable(record.name(), places[target], addresses[record.id()], out);
    }

    /** Writes a variable whose type lies at a place. */
    static void variable(String name, int type, long address, Bytes out) {
        begin(Abbreviation.VARIABLE, out)
                .text(name)
                .u32(type)
                .uleb(1 + Long.BYTES)
                .u8(ADDRESS_OPERATION)
                .u64(address);
    }

    /** Writes a constant whose type lies at a place. */
    static void constant(String name, int type, long value, Bytes out) {
        begin(Abbreviation.CONSTANT, out).text(name).u32(type).sleb(value);
    }

    /** Where the entry of a record lies, or of what its remarks are about; 0 for {@code void}. */
    int placeOf(int id) {
        int target = plain(id);
        return target == 0 ? 0 : places[target];
    }
}

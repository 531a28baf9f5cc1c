package dev.guestcore.linux.types;

/**
 * The kinds of records in BTF and the bytes behind their common part. Source: {@code include/uapi/linux/btf.h} and
 * {@code Documentation/bpf/btf.rst} of Linux.
 */
public enum BtfKind {
    /** {@code void}, which has no record. */
    VOID(0, 0),
    /** An integer. */
    INT(4, 0),
    /** A pointer. */
    PTR(0, 0),
    /** An array. */
    ARRAY(12, 0),
    /** A structure. */
    STRUCT(0, 12),
    /** A union. */
    UNION(0, 12),
    /** An enumeration of 32-bit constants. */
    ENUM(0, 8),
    /** A structure or union of which only the name is known. */
    FWD(0, 0),
    /** Another name for a type. */
    TYPEDEF(0, 0),
    /** {@code volatile}. */
    VOLATILE(0, 0),
    /** {@code const}. */
    CONST(0, 0),
    /** {@code restrict}. */
    RESTRICT(0, 0),
    /** A function that has a name. */
    FUNC(0, 0),
    /** The type of a function. */
    FUNC_PROTO(0, 8),
    /** A variable. */
    VAR(4, 0),
    /** Which variables a section holds. */
    DATASEC(0, 12),
    /** A floating-point number. */
    FLOAT(0, 0),
    /** A remark on a declaration. */
    DECL_TAG(4, 0),
    /** A remark on a type. */
    TYPE_TAG(0, 0),
    /** An enumeration of 64-bit constants. */
    ENUM64(0, 12),
    /** One that came later; the description itself says how long its records are. */
    UNKNOWN(0, 0);

    /** Number of kinds that we know. */
    static final int KNOWN = UNKNOWN.ordinal();

    private static final BtfKind[] ALL = values();

    private final int fixed;
    private final int each;

    BtfKind(int fixed, int each) {
        this.fixed = fixed;
        this.each = each;
    }

    static BtfKind of(int number) {
        return number < KNOWN ? ALL[number] : UNKNOWN;
    }

    /** Bytes behind the twelve that all records have. */
    long extra(int elements) {
        return fixed + (long) each * elements;
    }

    /** Whether its records may count something: elements, or of a function its linkage. */
    boolean counts() {
        return each > 0 || this == FUNC;
    }

    /** Whether it changes how a value may be used, not what it is. */
    boolean isQualifier() {
        return this == VOLATILE || this == CONST || this == RESTRICT || this == TYPE_TAG;
    }

    /** Whether C finds the record by its name. */
    boolean isNamed() {
        return switch (this) {
            case INT, STRUCT, UNION, ENUM, FWD, TYPEDEF, FUNC, VAR, FLOAT, ENUM64 -> true;
            default -> false;
        };
    }

    boolean isStructure() {
        return this == STRUCT || this == UNION;
    }
}

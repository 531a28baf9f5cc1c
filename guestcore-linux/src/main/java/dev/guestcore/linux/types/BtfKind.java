package dev.guestcore.linux.types;

/**
 * The kinds of records in BTF and the bytes behind their common part. Source: {@code include/uapi/linux/btf.h} and
 * {@code Documentation/bpf/btf.rst} of Linux.
 */
enum BtfKind {
    VOID(0, 0),
    INT(4, 0),
    PTR(0, 0),
    ARRAY(12, 0),
    STRUCT(0, 12),
    UNION(0, 12),
    ENUM(0, 8),
    FWD(0, 0),
    TYPEDEF(0, 0),
    VOLATILE(0, 0),
    CONST(0, 0),
    RESTRICT(0, 0),
    FUNC(0, 0),
    FUNC_PROTO(0, 8),
    VAR(4, 0),
    DATASEC(0, 12),
    FLOAT(0, 0),
    DECL_TAG(4, 0),
    TYPE_TAG(0, 0),
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

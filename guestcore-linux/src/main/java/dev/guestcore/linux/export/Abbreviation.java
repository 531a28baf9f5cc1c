package dev.guestcore.linux.export;

/** The forms of DWARF entries that the exported kernel has (DWARF 4, sections 7.5.3 to 7.5.6). */
enum Abbreviation {
    UNIT(0x11, true, At.PRODUCER_TEXT, At.LANGUAGE, At.NAME_TEXT, At.LOW_PC, At.HIGH_PC),
    BASE_TYPE(0x24, false, At.NAME, At.BYTE_SIZE, At.ENCODING),
    POINTER(0x0f, false, At.BYTE_SIZE, At.TYPE),
    POINTER_TO_VOID(0x0f, false, At.BYTE_SIZE),
    ARRAY(0x01, true, At.TYPE),
    RANGE(0x21, false, At.UPPER_BOUND),
    RANGE_WITHOUT_BOUND(0x21, false),
    STRUCT(0x13, true, At.NAME, At.BYTE_SIZE),
    STRUCT_WITHOUT_NAME(0x13, true, At.BYTE_SIZE),
    UNION(0x17, true, At.NAME, At.BYTE_SIZE),
    UNION_WITHOUT_NAME(0x17, true, At.BYTE_SIZE),
    MEMBER(0x0d, false, At.NAME, At.TYPE, At.MEMBER_LOCATION),
    MEMBER_WITHOUT_NAME(0x0d, false, At.TYPE, At.MEMBER_LOCATION),
    BIT_FIELD(0x0d, false, At.NAME, At.TYPE, At.BIT_SIZE, At.DATA_BIT_OFFSET),
    BIT_FIELD_WITHOUT_NAME(0x0d, false, At.TYPE, At.BIT_SIZE, At.DATA_BIT_OFFSET),
    ENUM(0x04, true, At.NAME, At.BYTE_SIZE),
    ENUM_WITHOUT_NAME(0x04, true, At.BYTE_SIZE),
    ENUMERATOR(0x28, false, At.NAME, At.CONST_VALUE),
    STRUCT_DECLARED(0x13, false, At.NAME, At.DECLARATION),
    UNION_DECLARED(0x17, false, At.NAME, At.DECLARATION),
    TYPEDEF(0x16, false, At.NAME, At.TYPE),
    TYPEDEF_OF_VOID(0x16, false, At.NAME),
    CONST(0x26, false, At.TYPE),
    CONST_VOID(0x26, false),
    VOLATILE(0x35, false, At.TYPE),
    VOLATILE_VOID(0x35, false),
    RESTRICT(0x37, false, At.TYPE),
    RESTRICT_VOID(0x37, false),
    FUNCTION_TYPE(0x15, true, At.PROTOTYPED, At.TYPE),
    FUNCTION_TYPE_OF_VOID(0x15, true, At.PROTOTYPED),
    PARAMETER(0x05, false, At.NAME, At.TYPE),
    PARAMETER_WITHOUT_NAME(0x05, false, At.TYPE),
    FURTHER_PARAMETERS(0x18, false),
    FUNCTION(0x2e, true, At.NAME, At.EXTERNAL, At.PROTOTYPED, At.LOW_PC, At.HIGH_PC, At.TYPE),
    FUNCTION_OF_VOID(0x2e, true, At.NAME, At.EXTERNAL, At.PROTOTYPED, At.LOW_PC, At.HIGH_PC),
    VARIABLE(0x34, false, At.NAME_TEXT, At.TYPE, At.EXTERNAL, At.LOCATION),
    CONSTANT(0x34, false, At.NAME_TEXT, At.TYPE, At.CONST_VALUE);

    /** Attributes with the form in which they are always written. */
    private enum At {
        NAME(0x03, Form.STRING_OFFSET),
        NAME_TEXT(0x03, Form.STRING),
        PRODUCER_TEXT(0x25, Form.STRING),
        LANGUAGE(0x13, Form.BYTE),
        LOW_PC(0x11, Form.ADDRESS),
        HIGH_PC(0x12, Form.LONG),
        BYTE_SIZE(0x0b, Form.UNSIGNED),
        ENCODING(0x3e, Form.BYTE),
        TYPE(0x49, Form.REFERENCE),
        UPPER_BOUND(0x2f, Form.UNSIGNED),
        MEMBER_LOCATION(0x38, Form.UNSIGNED),
        BIT_SIZE(0x0d, Form.UNSIGNED),
        DATA_BIT_OFFSET(0x6b, Form.UNSIGNED),
        CONST_VALUE(0x1c, Form.SIGNED),
        DECLARATION(0x3c, Form.PRESENT),
        PROTOTYPED(0x27, Form.PRESENT),
        EXTERNAL(0x3f, Form.PRESENT),
        LOCATION(0x02, Form.EXPRESSION);

        private final int number;
        private final Form form;

        At(int number, Form form) {
            this.number = number;
            this.form = form;
        }
    }

    private enum Form {
        ADDRESS(0x01),
        LONG(0x07),
        STRING(0x08),
        BYTE(0x0b),
        SIGNED(0x0d),
        STRING_OFFSET(0x0e),
        UNSIGNED(0x0f),
        REFERENCE(0x13),
        EXPRESSION(0x18),
        PRESENT(0x19);

        private final int number;

        Form(int number) {
            this.number = number;
        }
    }

    private final int tag;
    private final boolean hasChildren;
    private final At[] attributes;

    Abbreviation(int tag, boolean hasChildren, At... attributes) {
        this.tag = tag;
        this.hasChildren = hasChildren;
        this.attributes = attributes;
    }

    /** The number that begins an entry of this form. */
    int code() {
        return ordinal() + 1;
    }

    /** The section {@code .debug_abbrev}. */
    static Bytes table() {
        Bytes bytes = new Bytes();
        for (Abbreviation each : values()) {
            bytes.uleb(each.code()).uleb(each.tag).u8(each.hasChildren ? 1 : 0);
            for (At attribute : each.attributes) {
                bytes.uleb(attribute.number).uleb(attribute.form.number);
            }
            bytes.u8(0).u8(0);
        }
        return bytes.u8(0);
    }
}

package dev.guestcore.internal.migration;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The fields of one device, by name, and their values. Not thread-safe. */
final class DeviceFields {

    /** Of a device with more, the first ones are kept; a vCPU has some hundred. */
    private static final int MOST_FIELDS = 8192;

    private final MemorySegment data;
    private final boolean kept;
    private final List<Field> top = new ArrayList<>();
    private int count;

    /**
     * A field, or an array of equal ones.
     *
     * @param name QEMU's name, with a number in brackets where several have the same
     * @param type QEMU's name of the type ("uint64", "struct")
     * @param structure name of the structure, empty for other types
     * @param offset where its first element lies in the data
     * @param size bytes of an element
     * @param count elements
     * @param children fields of a structure's first element
     */
    record Field(
            String name, String type, String structure, long offset, long size, long count, List<Field> children) {}

    /**
     * The fields of a device whose description is yet to be read.
     *
     * @param data the sections of all devices
     * @param kept whether fields are to be kept at all
     */
    DeviceFields(MemorySegment data, boolean kept) {
        this.data = data;
        this.kept = kept;
    }

    /** The list of the device's own fields, and those of its subsections. */
    List<Field> top() {
        return top;
    }

    /** Keeps a field in one of the lists. */
    void add(List<Field> list, Field field) {
        if (kept && count < MOST_FIELDS) {
            list.add(field);
            count++;
        }
    }

    /** A field of the device itself by name. */
    Optional<Field> field(String name) {
        return top.stream().filter(field -> field.name().equals(name)).findFirst();
    }

    /** The first array of structures of that name. */
    Optional<Field> structures(String structure) {
        return top.stream().filter(field -> field.structure().equals(structure)).findFirst();
    }

    /** The first field of that type, in a structure too. */
    Optional<Field> ofType(String type) {
        return ofType(type, top);
    }

    private static Optional<Field> ofType(String type, List<Field> fields) {
        for (Field field : fields) {
            if (field.type().equals(type)) {
                return Optional.of(field);
            }
            Optional<Field> inside = ofType(type, field.children());
            if (inside.isPresent()) {
                return inside;
            }
        }
        return Optional.empty();
    }

    /** Whether the field is there with so many elements of 1, 2, 4 or 8 bytes. */
    boolean isNumbers(String name, long elements) {
        return field(name)
                .filter(field -> field.count() == elements)
                .filter(field -> Long.bitCount(field.size()) == 1 && field.size() <= Long.BYTES)
                .isPresent();
    }

    /** An element of 1, 2, 4 or 8 bytes, zero-extended. */
    long number(Field field, long index) {
        return number(field.offset() + field.size() * index, field.size());
    }

    /** A big-endian number in the data, zero-extended. */
    long number(long offset, long size) {
        return switch ((int) size) {
            case 1 -> data.get(ValueLayout.JAVA_BYTE, offset) & 0xffL;
            case 2 -> data.get(StreamBuffer.U16, offset) & 0xffffL;
            case 4 -> data.get(StreamBuffer.U32, offset) & 0xffffffffL;
            case 8 -> data.get(StreamBuffer.U64, offset);
            default -> throw new IllegalArgumentException("no number has " + size + " bytes");
        };
    }

    /** The bytes of a field's first element. */
    byte[] bytes(Field field) {
        return bytes(field, field.size());
    }

    /** The first bytes of a field. */
    byte[] bytes(Field field, long size) {
        return data.asSlice(field.offset(), size).toArray(ValueLayout.JAVA_BYTE);
    }
}

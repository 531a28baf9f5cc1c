package dev.guestcore.linux.types;

import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes BTF, record by record. The number of a record is what its method returns; they are not checked. */
public final class BtfBuilder {

    private final ByteOrder order;
    private final int firstString;
    private final ByteArrayOutputStream types = new ByteArrayOutputStream();
    private final ByteArrayOutputStream strings = new ByteArrayOutputStream();
    private final Map<String, Integer> known = new LinkedHashMap<>();
    private int next;
    private int headerSize = 24;
    private byte[] layout = {};

    /** A member: name, type, bits from the start, bits of a bit field or 0. */
    public record Member(String name, int type, int bitOffset, int bitSize) {

        /** An ordinary one, by bytes from the start. */
        public static Member at(int offset, String name, int type) {
            return new Member(name, type, offset * 8, 0);
        }
    }

    private BtfBuilder(ByteOrder order, int first, int firstString) {
        this.order = order;
        this.next = first;
        this.firstString = firstString;
        if (firstString == 0) {
            strings.write(0);
        }
    }

    /** For a kernel, little-endian. */
    public static BtfBuilder kernel() {
        return new BtfBuilder(ByteOrder.LITTLE_ENDIAN, 1, 0);
    }

    /** For a kernel. */
    public static BtfBuilder kernel(ByteOrder order) {
        return new BtfBuilder(order, 1, 0);
    }

    /** For a module of that kernel. */
    public static BtfBuilder module(BtfBuilder kernel) {
        return new BtfBuilder(kernel.order, kernel.next, kernel.firstString + kernel.strings.size());
    }

    /** With a longer header, and what it says of the layout of the kinds. */
    public BtfBuilder layout(int size, byte... rows) {
        headerSize = size;
        layout = rows;
        return this;
    }

    /** The offset of a string. */
    public int string(String text) {
        if (text.isEmpty()) {
            return 0;
        }
        return known.computeIfAbsent(text, _ -> {
            int at = firstString + strings.size();
            strings.writeBytes(text.getBytes(StandardCharsets.UTF_8));
            strings.write(0);
            return at;
        });
    }

    /** The number that the next record will have. */
    public int next() {
        return next;
    }

    /** Any record. */
    public int record(int name, int kind, int count, boolean flag, int sizeOrType, int... rest) {
        ByteBuffer bytes = ByteBuffer.allocate(12 + rest.length * 4).order(order);
        bytes.putInt(name).putInt(kind << 24 | count | (flag ? 1 << 31 : 0)).putInt(sizeOrType);
        for (int each : rest) {
            bytes.putInt(each);
        }
        types.writeBytes(bytes.array());
        return next++;
    }

    /** An integer: encoding 1 signed, 2 char, 4 bool. */
    public int integer(String name, int size, int encoding) {
        return integer(name, size, encoding, 0, size * 8);
    }

    /** An integer that may be narrower than its bytes. */
    public int integer(String name, int size, int encoding, int shift, int bits) {
        return record(string(name), 1, 0, false, size, encoding << 24 | shift << 16 | bits);
    }

    public int pointer(int target) {
        return record(0, 2, 0, false, target);
    }

    public int array(int element, int index, int count) {
        return record(0, 3, 0, false, 0, element, index, count);
    }

    public int struct(String name, int size, Member... members) {
        return structure(4, name, size, false, members);
    }

    public int union(String name, int size, Member... members) {
        return structure(5, name, size, false, members);
    }

    /** A structure with bit fields in the way of today. */
    public int structWithBits(String name, int size, Member... members) {
        return structure(4, name, size, true, members);
    }

    private int structure(int kind, String name, int size, boolean flag, Member... members) {
        int[] rest = new int[members.length * 3];
        for (int i = 0; i < members.length; i++) {
            rest[3 * i] = string(members[i].name);
            rest[3 * i + 1] = members[i].type;
            rest[3 * i + 2] = members[i].bitOffset | members[i].bitSize << 24;
        }
        return record(string(name), kind, members.length, flag, size, rest);
    }

    /** An enumeration whose constants have the values 0, 1, 2... from {@code first} on. */
    public int enumeration(String name, boolean signed, int first, String... constants) {
        int[] rest = new int[constants.length * 2];
        for (int i = 0; i < constants.length; i++) {
            rest[2 * i] = string(constants[i]);
            rest[2 * i + 1] = first + i;
        }
        return record(string(name), 6, constants.length, signed, 4, rest);
    }

    public int forward(String name, boolean union) {
        return record(string(name), 7, 0, union, 0);
    }

    public int typedef(String name, int type) {
        return record(string(name), 8, 0, false, type);
    }

    /** {@code volatile} (9), {@code const} (10), {@code restrict} (11). */
    public int qualified(int kind, int type) {
        return record(0, kind, 0, false, type);
    }

    public int function(String name, int prototype) {
        return record(string(name), 12, 1, false, prototype);
    }

    /** A prototype: result, then name and type of each parameter. */
    public int prototype(int result, Object... parameters) {
        int[] rest = new int[parameters.length];
        for (int i = 0; i < rest.length; i += 2) {
            rest[i] = string((String) parameters[i]);
            rest[i + 1] = (Integer) parameters[i + 1];
        }
        return record(0, 13, rest.length / 2, false, result, rest);
    }

    public int variable(String name, int type) {
        return record(string(name), 14, 0, false, type, 1);
    }

    public int floating(String name, int size) {
        return record(string(name), 16, 0, false, size);
    }

    public int enumeration64(String name, boolean signed, String constant, long value) {
        return record(string(name), 19, 1, signed, 8, string(constant), (int) value, (int) (value >>> 32));
    }

    /** The section. */
    public byte[] bytes() {
        ByteBuffer bytes = ByteBuffer.allocate(headerSize + types.size() + strings.size() + layout.length)
                .order(order);
        bytes.putShort((short) 0xeb9f).put((byte) 1).put((byte) 0).putInt(headerSize);
        bytes.putInt(0).putInt(types.size()).putInt(types.size()).putInt(strings.size());
        if (headerSize >= 32) {
            bytes.putInt(types.size() + strings.size()).putInt(layout.length);
        }
        bytes.position(headerSize);
        return bytes.put(types.toByteArray()).put(strings.toByteArray()).put(layout).array();
    }

    /** What is read of it. */
    public Btf read() {
        return Btf.read(MemorySegment.ofArray(bytes()));
    }
}

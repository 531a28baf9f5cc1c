package dev.guestcore.linux;

import dev.guestcore.linux.symbols.SymbolOffset;
import dev.guestcore.linux.types.KernelConstant;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;

/**
 * A value of a C type at a virtual address of the kernel. Nothing is read before it is asked for, and a pointer is followed where
 * a member of what it points to is named. Immutable; safe for use by several threads at once; valid until the guest is closed.
 *
 * <pre>{@code
 * KernelObject init = linux.variable("init_task");
 * init.get("comm").string();
 * for (KernelObject task : init.get("tasks").list("struct task_struct", "tasks")) {
 *     task.get("mm.owner.comm").string();
 * }
 * }</pre>
 *
 * <p>Every method that reads may throw {@link dev.guestcore.MemoryAccessException} where memory is missing, and
 * {@link dev.guestcore.linux.types.TypesException} where the description of types is damaged.
 */
public final class KernelObject {

    /** Longest text that a {@code char *} is followed for. */
    private static final int LONGEST_TEXT = 4096;

    private final Linux linux;
    private final KernelType type;
    private final long address;
    /** Of a bit field: its first bit, counted from {@code address}, and how many; else 0. */
    private final int firstBit;

    private final int bits;

    KernelObject(Linux linux, KernelType type, long address, int firstBit, int bits) {
        this.linux = linux;
        this.type = type;
        this.address = address;
        this.firstBit = firstBit;
        this.bits = bits;
    }

    /** The kernel that it belongs to. */
    public Linux linux() {
        return linux;
    }

    /** Virtual address of its first byte; of a bit field, of the byte that holds its first bit. */
    public long address() {
        return address;
    }

    /** Its type as declared, so it may be a {@code typedef}. */
    public KernelType type() {
        return type;
    }

    /** A member that must be there. */
    static KernelMember memberOf(KernelType type, String path) {
        return type.member(path).orElseThrow(() -> new LinuxException(noMember(type, path)));
    }

    private static String noMember(KernelType type, String path) {
        return type + " has no member '" + path + "' in this kernel; ask has() first where kernels differ";
    }

    /**
     * A member, or a member of what this points to: {@code comm}, {@code thread.sp}, {@code mm.owner.comm},
     * {@code numbers[0].nr}. Pointers on the way are followed.
     *
     * @throws LinuxException if there is no such member, or a pointer on the way is null
     */
    public KernelObject get(String path) {
        KernelObject structure = structure();
        Optional<KernelMember> direct = structure.type.member(path);
        if (direct.isPresent()) {
            return structure.at(direct.get());
        }
        int dot = path.lastIndexOf('.');
        int bracket = path.lastIndexOf('[');
        if (bracket > dot && bracket > 0) {
            return get(path.substring(0, bracket)).index(indexIn(path, bracket));
        }
        if (dot <= 0) {
            throw new LinuxException(noMember(structure.type, path));
        }
        return get(path.substring(0, dot)).get(path.substring(dot + 1));
    }

    private static long indexIn(String path, int bracket) {
        String digits = path.substring(bracket + 1, path.length() - 1);
        if (!path.endsWith("]") || !digits.matches("[0-9]{1,9}")) {
            throw new LinuxException(
                    "'" + path + "' is not the path of a member; write it like thread.sp or numbers[0].nr");
        }
        return Long.parseLong(digits);
    }

    private KernelObject structure() {
        return isPointer() ? dereference() : this;
    }

    private boolean isPointer() {
        return type.resolved().kind() == KernelType.Kind.POINTER;
    }

    /** A member of this structure. */
    KernelObject at(KernelMember member) {
        int shift = member.bitSize() == 0 ? 0 : (int) (member.bitOffset() % Byte.SIZE);
        return new KernelObject(linux, member.type(), address + member.offset(), shift, member.bitSize());
    }

    /**
     * Whether {@link #get} would find the member in this kernel. Tells by types alone and reads nothing, so a pointer on the
     * way may still be null.
     */
    public boolean has(String path) {
        KernelType at = type;
        String rest = path;
        while (true) {
            KernelType plain = at.resolved();
            KernelType structure = plain.kind() == KernelType.Kind.POINTER ? plain.target().orElseThrow() : plain;
            if (structure.member(rest).isPresent()) {
                return true;
            }
            int dot = rest.indexOf('.');
            Optional<KernelMember> first = dot < 0 ? Optional.empty() : structure.member(rest.substring(0, dot));
            if (first.isEmpty()) {
                return false;
            }
            at = first.get().type();
            rest = rest.substring(dot + 1);
        }
    }

    /** The first of several members that this kernel has: they were renamed now and then. */
    public Optional<KernelObject> getAny(String... paths) {
        for (String path : paths) {
            if (has(path)) {
                return Optional.of(get(path));
            }
        }
        return Optional.empty();
    }

    /** The number in a member: short for {@code get(path).asLong()}. */
    public long getLong(String path) {
        return get(path).asLong();
    }

    /** The number in a member: short for {@code get(path).asInt()}. */
    public int getInt(String path) {
        return get(path).asInt();
    }

    /**
     * Its value as a number: integers and enumerations with their sign, pointers, bit fields. An unsigned 64-bit number above
     * 2<sup>63</sup> is negative here.
     *
     * @throws LinuxException if it is a structure or array, or longer than 64 bits
     */
    public long asLong() {
        KernelType plain = type.resolved();
        boolean number = switch (plain.kind()) {
            case INTEGER, ENUM, POINTER -> plain.size() >= 1 && plain.size() <= Long.BYTES;
            default -> false;
        };
        if (!number) {
            throw new LinuxException("a value of type " + type + " is no number of up to 64 bits");
        }
        if (bits != 0) {
            return bitField(plain);
        }
        return switch ((int) plain.size()) {
            case 1 -> signed(plain, linux.memory().readByte(address), 8);
            case 2 -> signed(plain, linux.memory().readShort(address), 16);
            case 4 -> signed(plain, linux.memory().readInt(address), 32);
            case 8 -> linux.memory().readLong(address);
            default -> throw new LinuxException("a number of " + plain.size() + " bytes cannot be read");
        };
    }

    private static long signed(KernelType plain, long value, int width) {
        return plain.isSigned() ? value : value & (1L << width) - 1;
    }

    private long bitField(KernelType plain) {
        byte[] bytes = bytes((firstBit + bits + Byte.SIZE - 1) / Byte.SIZE);
        int unused = bytes.length * Byte.SIZE - firstBit - bits;
        boolean little = linux.memory().byteOrder() == ByteOrder.LITTLE_ENDIAN;
        if (little) {
            reverse(bytes);
        }
        BigInteger value = new BigInteger(1, bytes).shiftRight(little ? firstBit : unused);
        long low = value.longValue();
        if (bits >= Long.SIZE) {
            return low;
        }
        return plain.isSigned() ? low << Long.SIZE - bits >> Long.SIZE - bits : low & (1L << bits) - 1;
    }

    private static void reverse(byte[] bytes) {
        for (int i = 0, j = bytes.length - 1; i < j; i++, j--) {
            byte kept = bytes[i];
            bytes[i] = bytes[j];
            bytes[j] = kept;
        }
    }

    /**
     * The same as an {@code int}.
     *
     * @throws LinuxException if the value has more than 32 bits
     */
    public int asInt() {
        long value = asLong();
        if ((int) value != value && value >>> Integer.SIZE != 0) {
            throw new LinuxException("0x" + Long.toHexString(value) + " of type " + type + " has more than 32 bits");
        }
        return (int) value;
    }

    /** Whether it is another number than 0. */
    public boolean asBoolean() {
        return asLong() != 0;
    }

    /** Of a pointer, whether it leads nowhere. */
    public boolean isNull() {
        return asLong() == 0;
    }

    /**
     * What a pointer points to.
     *
     * @throws LinuxException if it is not a pointer, or null
     */
    public KernelObject dereference() {
        if (!isPointer()) {
            throw new LinuxException("a value of type " + type + " is no pointer");
        }
        long target = asLong();
        if (target == 0) {
            throw new LinuxException("the pointer of type " + type + " at 0x" + Long.toHexString(address) + " is null");
        }
        return new KernelObject(linux, type.resolved().target().orElseThrow(), target, 0, 0);
    }

    /** What a pointer points to, or empty if it is null. */
    public Optional<KernelObject> target() {
        return isNull() ? Optional.empty() : Optional.of(dereference());
    }

    /**
     * An element of an array, or of the array that this points to.
     *
     * @param index from 0 on; of an array of known length, less than that
     * @throws LinuxException if it is neither, or has no such element
     */
    public KernelObject index(long index) {
        KernelType plain = type.resolved();
        boolean pointer = plain.kind() == KernelType.Kind.POINTER;
        if (!pointer && plain.kind() != KernelType.Kind.ARRAY) {
            throw new LinuxException("a value of type " + type + " has no elements");
        }
        // Arrays of one element at the end of a structure were longer before C had another way to say so.
        boolean open = pointer || plain.count() <= 1;
        if (index < 0 || !open && index >= plain.count()) {
            throw new LinuxException("there is no element " + index + " in a value of type " + type);
        }
        KernelType element = plain.target().orElseThrow();
        if (element.size() == 0) {
            throw new LinuxException("the size of " + element + " is not known, so elements cannot be told apart");
        }
        long start = pointer ? asLong() : address;
        return new KernelObject(linux, element, start + index * element.size(), 0, 0);
    }

    /**
     * The same bytes as another type.
     *
     * @throws LinuxException if the kernel has no such type
     */
    public KernelObject as(String newType) {
        return linux.object(newType, address);
    }

    /**
     * What a pointer points to, as another type.
     *
     * @throws LinuxException if the kernel has no such type, or the pointer is null
     */
    public KernelObject dereferenceAs(String newType) {
        return dereference().as(newType);
    }

    /**
     * The structure that this is a member of.
     *
     * @param structure its type, like {@code struct task_struct}
     * @param member the path of the member, like {@code sched_info}
     */
    public KernelObject containerOf(String structure, String member) {
        KernelType of = linux.type(structure);
        long place = isPointer() ? asLong() : address;
        return linux.object(of, place - memberOf(of, member).offset());
    }

    /**
     * The text in an array of characters or that a {@code char *} points to, up to its first zero byte, at most 4096 bytes.
     * Bytes that are no UTF-8 become U+FFFD. It may hold control characters.
     *
     * @throws LinuxException if it is neither, or a null pointer
     */
    public String string() {
        KernelType plain = type.resolved();
        KernelType element = plain.target().orElse(plain).resolved();
        boolean characters = element.size() == 1 || element.kind() == KernelType.Kind.VOID;
        if (plain.kind() == KernelType.Kind.POINTER && characters) {
            return linux.memory().readString(dereference().address, LONGEST_TEXT);
        }
        if (plain.kind() != KernelType.Kind.ARRAY || !characters) {
            throw new LinuxException("a value of type " + type + " is no text");
        }
        if (plain.count() == 0) {
            return linux.memory().readString(address, LONGEST_TEXT);
        }
        byte[] bytes = bytes((int) Math.min(plain.count(), LONGEST_TEXT));
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8);
    }

    /** So many bytes from its address on. */
    public byte[] bytes(int count) {
        byte[] bytes = new byte[count];
        linux.memory().read(address, bytes);
        return bytes;
    }

    /** Of an enumeration, the name of the constant that it has; empty if it has none of them. */
    public Optional<String> constant() {
        long value = asLong();
        return type.resolved().constants().stream()
                .filter(each -> each.value() == value)
                .map(KernelConstant::name)
                .findFirst();
    }

    /** Of a pointer, the symbol that it leads to: {@code ext4_file_operations}, {@code worker_thread+0x1b}. */
    public Optional<SymbolOffset> symbol() {
        return linux.symbols().at(asLong());
    }

    /**
     * The same per-CPU variable of one processor.
     *
     * @param cpu number of the processor
     * @throws LinuxException if there is no such processor
     */
    public KernelObject perCpu(int cpu) {
        return new KernelObject(linux, type, address + linux.perCpuOffset(cpu), firstBit, bits);
    }

    /**
     * What a pointer to per-CPU memory ({@code __percpu}) points to for one processor.
     *
     * @param cpu number of the processor
     * @throws LinuxException if it is not a pointer, or null, or there is no such processor
     */
    public KernelObject dereferencePerCpu(int cpu) {
        return dereference().perCpu(cpu);
    }

    /**
     * What hangs in a list: this is its {@code struct list_head}, or points to it.
     *
     * @param element type of the elements, like {@code struct task_struct}
     * @param member the {@code list_head} in them
     */
    public Walk<KernelObject> list(String element, String member) {
        return KernelLists.list(structure(), linux.type(element), member);
    }

    /** What hangs in a {@code hlist_head}, {@code hlist_nulls_head} or {@code llist_head}. */
    public Walk<KernelObject> chain(String element, String member) {
        return KernelLists.chain(structure(), linux.type(element), member);
    }

    /** What hangs in a red-black tree ({@code rb_root}, {@code rb_root_cached}), in its order. */
    public Walk<KernelObject> tree(String element, String member) {
        return KernelLists.tree(structure(), linux.type(element), member);
    }

    /** The entries of an {@code xarray}, {@code radix_tree_root} or {@code idr}, ascending. */
    public Walk<IndexEntry> xarray() {
        return XArrayWalk.of(structure());
    }

    /** The entries of a {@code maple_tree}, ascending. */
    public Walk<IndexEntry> mapleTree() {
        return MapleWalk.of(structure());
    }

    /** The elements of an array of known length, at most {@link Walk#LIMIT}. */
    public List<KernelObject> elements() {
        long count = Math.min(type.resolved().count(), Walk.LIMIT);
        return LongStream.range(0, count).mapToObj(this::index).toList();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof KernelObject object
                && object.linux == linux
                && object.address == address
                && object.firstBit == firstBit
                && object.bits == bits
                && object.type.equals(type);
    }

    @Override
    public int hashCode() {
        return Long.hashCode(address) * 31 + type.hashCode();
    }

    /** As C writes it, type and value: {@code (int)42}, {@code *(struct list_head *)0xffff888003a01000 = {…}}. */
    @Override
    public String toString() {
        return new ObjectText(this).text();
    }
}

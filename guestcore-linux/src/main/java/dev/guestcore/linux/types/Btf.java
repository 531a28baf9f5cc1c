package dev.guestcore.linux.types;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Deque;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Predicate;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The types that a kernel or a module describes in BTF, decoded when they are asked for. The bytes come from the guest and are
 * not trusted: whatever is damaged ends in a {@link TypesException}.
 *
 * <p>Source of the format: {@code include/uapi/linux/btf.h} and {@code Documentation/bpf/btf.rst} of Linux. Kinds and counts are
 * read in the width that they have since 2026; the bits were zero before.
 */
public final class Btf implements KernelTypes {

    /** How often a type may lead to another one; C code has less than ten. */
    static final int DEEPEST = 64;

    /** The kernel takes names of at most 512 bytes (KSYM_NAME_LEN); tags may be longer. */
    private static final int LONGEST_TEXT = 1024;

    private static final int COMMON = 12;
    private static final int DEFAULT_POINTER = 8;

    private final byte[] data;
    private final BtfHeader header;
    private final boolean little;
    private final @Nullable Btf base;
    private final int firstId;
    private final int firstString;
    /** Where each record begins. */
    private final int[] places;

    private final int count;
    private final BtfNames names;
    private final int pointerSize;
    private final Map<MemberKey, Optional<KernelMember>> found = new ConcurrentHashMap<>();
    /** Pages that are damaged or missing, from that on in which the section begins. */
    private final BitSet lostPages;

    private final int pageOffset;

    private record MemberKey(int id, String name) {}

    private Btf(MemorySegment data, @Nullable Btf base) {
        this(data, base, 0, null);
    }

    private Btf(MemorySegment data, @Nullable Btf base, int pageOffset, @Nullable BitSet damaged) {
        this.base = base;
        this.pageOffset = pageOffset;
        this.lostPages = damaged == null ? new BitSet() : damaged;
        header = BtfHeader.read(data);
        little = header.order() == ByteOrder.LITTLE_ENDIAN;
        this.data = data.toArray(ValueLayout.JAVA_BYTE);
        firstId = base == null ? 1 : base.endId();
        firstString = base == null ? 0 : base.firstString + base.header.stringsSize();
        places = damaged == null
                ? findPlaces()
                : new BtfRecovery(this, header, pageOffset, lostPages).places();
        count = places.length;
        names = new BtfNames(this);
        pointerSize = base == null ? sizeOfLong() : base.pointerSize;
    }

    /**
     * Reads the types of a kernel.
     *
     * @param data the section, which must not change
     * @throws TypesException if it is no BTF, or if its records do not follow one another as they must
     */
    public static Btf read(MemorySegment data) {
        return new Btf(data, null);
    }

    /**
     * Reads the types of a module, which go on where those of its kernel end.
     *
     * @param data the section, which must not change
     * @param kernel the types of the kernel that the module is loaded into
     * @throws TypesException if it is no BTF, or if its records do not follow one another as they must
     */
    public static Btf readModule(MemorySegment data, Btf kernel) {
        if (!kernel.lostPages.isEmpty() && !kernel.reachesEnd()) {
            throw new TypesException(
                    "BTF of a module: it counts on from the kernel's, whose end is damaged or missing");
        }
        return new Btf(data, kernel);
    }

    /** The bytes of the section, read-only. */
    public MemorySegment bytes() {
        return MemorySegment.ofArray(data).asReadOnly();
    }

    /** The byte order of the section, which is that of the guest. */
    public ByteOrder byteOrder() {
        return header.order();
    }

    @Override
    public int pointerSize() {
        return pointerSize;
    }

    /** The first number that no type has: types, of the kernel too, are numbered from 1 on, 0 is {@code void}. */
    public int endId() {
        return firstId + count;
    }

    /** The strings, one after the other, each ended by a zero byte; those of the kernel only, not of a module. */
    public MemorySegment strings() {
        return bytes().asSlice(header.strings(), header.stringsSize());
    }

    /**
     * The record of this number, as it is stored.
     *
     * @param id from 1 on and below {@link #endId}
     */
    public BtfRecord record(int id) {
        ownerOf(id);
        return new BtfRecord(this, id);
    }

    /** The number of a type; empty for pointers and arrays, which C builds without a name, and for types of others. */
    public OptionalInt idOf(KernelType type) {
        return type instanceof BtfType own && own.isOf(this) ? OptionalInt.of(own.id()) : OptionalInt.empty();
    }

    int nameOffset(int id) {
        return wordOf(id, 0);
    }

    /** Plain code instead of a view, because it runs a million times before it is compiled. */
    private int word(int at) {
        int word = data[at] & 0xff | (data[at + 1] & 0xff) << 8 | (data[at + 2] & 0xff) << 16 | data[at + 3] << 24;
        return little ? word : Integer.reverseBytes(word);
    }

    private int[] findPlaces() {
        int[] all = new int[header.typesSize() / COMMON + 1];
        int at = header.types();
        int end = at + header.typesSize();
        int number = 0;
        while (at < end) {
            long size = at + COMMON <= end ? recordSize(at) : Long.MAX_VALUE;
            if (size > end - at) {
                throw damaged(firstId + number, "record at offset 0x" + Integer.toHexString(at)
                        + " ends beyond the types");
            }
            all[number++] = at;
            at += (int) size;
        }
        return Arrays.copyOf(all, number);
    }

    /** Where a record ends that may be damaged; -1 if it cannot be one. */
    int recordEnd(int at, int end) {
        if (at + COMMON > Math.min(end, data.length)) {
            return -1;
        }
        int info = word(at + 4);
        BtfKind kind = BtfKind.of(kindNumber(info));
        long size = COMMON + kind.extra(vlen(info));
        boolean isOne = kind != BtfKind.VOID
                && kind != BtfKind.UNKNOWN
                && (vlen(info) == 0 || kind.counts())
                && Integer.toUnsignedLong(word(at)) < (long) firstString + header.stringsSize()
                && size <= Math.min(end, data.length) - at;
        return isOne ? (int) (at + size) : -1;
    }

    BtfKind kindAt(int at) {
        return BtfKind.of(kindNumber(word(at + 4)));
    }

    int referenceAt(int at) {
        return word(at + 8);
    }

    /**
     * Reads the types of a kernel of which a part is damaged or missing: whatever leads there ends in a {@link TypesException},
     * and what can be told from the rest is there.
     *
     * @param data the section, which must not change
     * @param pageOffset where in a page of memory it begins
     * @param lostPages which pages are known to be damaged or missing, from that on
     * @throws TypesException if its head is damaged
     */
    static Btf readDamaged(MemorySegment data, int pageOffset, BitSet lostPages) {
        if (lostPages.get(0)) {
            throw new TypesException("BTF: its head is damaged or missing");
        }
        return new Btf(data, null, pageOffset, (BitSet) lostPages.clone());
    }

    /** What is damaged of it, for the user; empty if nothing is known to be. */
    public Optional<String> damage() {
        if (lostPages.isEmpty()) {
            return Optional.empty();
        }
        long lost = Arrays.stream(places).filter(place -> place < 0).count();
        boolean open = !reachesEnd();
        return Optional.of(lostPages.cardinality() + " of " + ((data.length + pageOffset - 1) / BtfRecovery.PAGE + 1)
                + " pages are damaged or missing; with them " + (open ? "more than " : "") + lost + " of "
                + (open ? "more than " : "") + count + " types are lost");
    }

    private boolean reachesEnd() {
        int last = count == 0 ? -1 : places[count - 1];
        return last >= 0 && recordEnd(last, Integer.MAX_VALUE) == header.types() + header.typesSize();
    }

    boolean isKnown(int id) {
        Btf owner = ownerOf(id);
        return owner.places[id - owner.firstId] >= 0;
    }

    private boolean isLost(int from, int to) {
        int lost = lostPages.isEmpty() ? -1 : lostPages.nextSetBit((from + pageOffset) / BtfRecovery.PAGE);
        return lost >= 0 && lost <= (to + pageOffset) / BtfRecovery.PAGE;
    }

    private long recordSize(int at) {
        int info = word(at + 4);
        int elements = vlen(info);
        BtfKind kind = BtfKind.of(kindNumber(info));
        if (kind != BtfKind.UNKNOWN) {
            return COMMON + kind.extra(elements);
        }
        // Two bytes that count, two of flags for each kind: fixed part, part for each element.
        int row = kindNumber(info) * 4;
        if (row + 4 > header.layoutSize()) {
            throw new TypesException("BTF: record at offset 0x" + Integer.toHexString(at) + " is of kind "
                    + kindNumber(info)
                    + ", which is unknown; the kernel is newer than this program or its types are damaged");
        }
        int fixed = data[header.layout() + row] & 0xff;
        int each = data[header.layout() + row + 1] & 0xff;
        return COMMON + fixed + (long) each * elements;
    }

    private static int vlen(int info) {
        return info & 0xffffff;
    }

    private static int kindNumber(int info) {
        return info >>> 24 & 0x7f;
    }

    private int sizeOfLong() {
        for (String spelling : List.of("unsigned long", "long")) {
            Optional<KernelType> type = find(spelling);
            if (type.isPresent() && (type.get().size() == Integer.BYTES || type.get().size() == Long.BYTES)) {
                return (int) type.get().size();
            }
        }
        return DEFAULT_POINTER;
    }

    /** Whether the record is in this section, not in that of the kernel. */
    private Btf ownerOf(int id) {
        if (id < 1 || id >= endId()) {
            throw damaged(id, "there is no such type; the last one is " + (endId() - 1));
        }
        return base != null && id < firstId ? base : this;
    }

    /** A word of a record: 0 its name, 1 count, kind and flag, 2 its size or type, then what its kind has. */
    int wordOf(int id, int index) {
        Btf owner = ownerOf(id);
        int place = owner.places[id - owner.firstId];
        if (place < 0) {
            throw damaged(id, "it lies in memory that is damaged or missing");
        }
        return owner.word(place + index * Integer.BYTES);
    }

    BtfKind kind(int id) {
        return id == 0 ? BtfKind.VOID : BtfKind.of(kindNumber(wordOf(id, 1)));
    }

    int elements(int id) {
        return id == 0 ? 0 : vlen(wordOf(id, 1));
    }

    boolean flag(int id) {
        return id != 0 && wordOf(id, 1) < 0;
    }

    long sizeOf(int id) {
        return Integer.toUnsignedLong(wordOf(id, 2));
    }

    int reference(int id) {
        return wordOf(id, 2);
    }

    String name(int id) {
        return id == 0 ? "void" : text(wordOf(id, 0));
    }

    int firstId() {
        return firstId;
    }

    int count() {
        return count;
    }

    /** The hash of the name of a record of this section, or 0 where it has none. */
    int nameHash(int id) {
        int offset = wordOf(id, 0);
        Btf owner = ownerOfText(offset);
        int from = owner.textAt(offset);
        int to = owner.textEnd(from);
        return offset == 0 || owner.isLost(Math.max(from, 0), Math.max(to, 0)) ? 0
                : BtfNames.hash(owner.data, Math.max(from, 0), Math.max(to, 0));
    }

    private Btf ownerOfText(int offset) {
        return base != null && Integer.compareUnsigned(offset, firstString) < 0 ? base : this;
    }

    /** Where a string begins, or -1 where that is beyond the strings. */
    private int textAt(int offset) {
        long at = Integer.toUnsignedLong(offset) - firstString;
        return at < header.stringsSize() ? header.strings() + (int) at : -1;
    }

    /** Where a string ends, or -1 where it does not. */
    private int textEnd(int from) {
        int limit = Math.min(header.strings() + header.stringsSize(), from + LONGEST_TEXT + 1);
        for (int at = from; at >= 0 && at < limit; at++) {
            if (data[at] == 0) {
                return at;
            }
        }
        return -1;
    }

    /**
     * A string of the section, or of the kernel's.
     *
     * @param offset as {@link BtfRecord#nameOffset} gives it; 0 is the empty text
     * @throws TypesException if the string does not end within the strings, or is longer than a kernel's name can be
     */
    public String text(int offset) {
        if (offset == 0) {
            return "";
        }
        Btf owner = ownerOfText(offset);
        int from = owner.textAt(offset);
        int to = owner.textEnd(from);
        if (to < 0) {
            throw new TypesException("BTF: the string at offset 0x" + Integer.toHexString(offset)
                    + " does not end within " + LONGEST_TEXT + " bytes, or within the strings; the kernel's types are"
                    + " damaged");
        }
        if (owner.isLost(from, to)) {
            throw new TypesException("BTF: the string at offset 0x" + Integer.toHexString(offset)
                    + " lies in memory that is damaged or missing");
        }
        return new String(owner.data, from, to - from, StandardCharsets.UTF_8);
    }

    /** Whether the name of a record has these bytes. */
    boolean isNamed(int id, byte[] wanted) {
        return isText(wordOf(id, 0), wanted);
    }

    static TypesException damaged(int id, String what) {
        return new TypesException(
                "BTF: type " + Integer.toUnsignedString(id) + ": " + what + "; the kernel's types are damaged");
    }

    /** The number behind {@code const} and the like. */
    int withoutQualifiers(int id) {
        int at = id;
        for (int i = 0; i < DEEPEST; i++) {
            if (!kind(at).isQualifier()) {
                return at;
            }
            at = reference(at);
        }
        throw damaged(id, "qualifiers lead to each other in a circle");
    }

    /** The number behind {@code const}, the like, and {@code typedef}. */
    int withoutNames(int id) {
        int at = withoutQualifiers(id);
        for (int i = 0; i < DEEPEST; i++) {
            if (kind(at) != BtfKind.TYPEDEF) {
                return at;
            }
            at = withoutQualifiers(reference(at));
        }
        throw damaged(id, "typedefs lead to each other in a circle");
    }

    /** Bytes of what a typedef names in the end. */
    long sizeBehind(int id) {
        long factor = 1;
        int at = withoutNames(id);
        for (int i = 0; i < DEEPEST; i++) {
            switch (kind(at)) {
                case ARRAY -> {
                    factor = product(id, factor, Integer.toUnsignedLong(wordOf(at, 5)));
                    at = withoutNames(wordOf(at, 3));
                }
                case PTR -> {
                    return product(id, factor, pointerSize);
                }
                case INT, FLOAT, STRUCT, UNION, ENUM, ENUM64 -> {
                    return product(id, factor, sizeOf(at));
                }
                default -> {
                    return 0;
                }
            }
        }
        throw damaged(id, "arrays lead to each other in a circle");
    }

    private static long product(int id, long one, long other) {
        try {
            return Math.multiplyExact(one, other);
        } catch (ArithmeticException _) {
            throw damaged(id, "its size is beyond 64 bits");
        }
    }

    /**
     * The type of this number; 0 is {@code void}.
     *
     * @throws TypesException if there is none, or if it is the number of something else, such as a variable
     */
    public KernelType type(int id) {
        List<DerivedType> around = new ArrayList<>(4);
        int at = withoutQualifiers(id);
        while (kind(at) == BtfKind.PTR || kind(at) == BtfKind.ARRAY) {
            if (around.size() == DEEPEST) {
                throw damaged(id, "pointers or arrays lead to each other in a circle");
            }
            if (kind(at) == BtfKind.PTR) {
                around.add(DerivedType.pointer(VoidType.VOID, pointerSize));
                at = withoutQualifiers(reference(at));
            } else {
                around.add(DerivedType.array(VoidType.VOID, Integer.toUnsignedLong(wordOf(at, 5))));
                at = withoutQualifiers(wordOf(at, 3));
            }
        }
        KernelType type = plain(at);
        for (DerivedType each : around.reversed()) {
            type = new DerivedType(each.kind(), type, each.measure());
        }
        return type;
    }

    private KernelType plain(int id) {
        if (id == 0) {
            return VoidType.VOID;
        }
        BtfKind kind = kind(id);
        return switch (kind) {
            case INT, STRUCT, UNION, ENUM, ENUM64, FWD, TYPEDEF, FLOAT, FUNC_PROTO ->
                    new BtfType(ownerOf(id), id, kind);
            default -> throw damaged(id, "a type was expected, found a record of kind " + kind);
        };
    }

    /** All members of a structure. */
    List<KernelMember> members(int id) {
        return IntStream.range(0, elements(id)).mapToObj(index -> member(id, index)).toList();
    }

    private KernelMember member(int id, int index) {
        int at = 3 + 3 * index;
        return member(id, text(wordOf(id, at)), wordOf(id, at + 1), wordOf(id, at + 2), 0);
    }

    /** Without the flag, a bit field is told by its integer, which is narrower than its bytes. */
    private KernelMember member(int id, String name, int type, int offset, long within) {
        if (flag(id)) {
            return new KernelMember(name, type(type), within + (offset & 0xffffff), offset >>> 24);
        }
        long bits = within + Integer.toUnsignedLong(offset);
        int plain = withoutNames(type);
        if (kind(plain) == BtfKind.INT) {
            int encoding = wordOf(plain, 3);
            int width = encoding & 0xff;
            int shift = encoding >>> 16 & 0xff;
            if (width != sizeOf(plain) * Byte.SIZE || shift != 0) {
                return new KernelMember(name, type(type), bits + shift, width);
            }
        }
        return new KernelMember(name, type(type), bits, 0);
    }

    /** A member by its name, also of a structure without a name inside. */
    Optional<KernelMember> member(int id, String name) {
        return found.computeIfAbsent(new MemberKey(id, name), key -> search(id, name.getBytes(StandardCharsets.UTF_8)));
    }

    private record Inside(int id, long bits) {}

    private Optional<KernelMember> search(int start, byte[] name) {
        if (name.length == 0) {
            return Optional.empty();
        }
        Set<Integer> seen = new HashSet<>();
        Deque<Inside> open = new ArrayDeque<>(List.of(new Inside(start, 0)));
        boolean lost = false;
        while (!open.isEmpty()) {
            Inside in = open.removeFirst();
            if (!seen.add(in.id)) {
                continue;
            }
            for (int i = 0; i < elements(in.id); i++) {
                int at = 3 + 3 * i;
                int nameOffset = wordOf(in.id, at);
                int type = wordOf(in.id, at + 1);
                if (nameOffset == 0) {
                    int plain = withoutNames(type);
                    if (kind(plain).isStructure()) {
                        open.addLast(new Inside(plain, in.bits + offsetOf(in.id, at)));
                    }
                } else if (isText(nameOffset, name)) {
                    return Optional.of(member(in.id, text(nameOffset), type, wordOf(in.id, at + 2), in.bits));
                }
                lost |= isLostText(nameOffset);
            }
        }
        if (lost) {
            throw damaged(start, "whether it has a member '" + new String(name, StandardCharsets.UTF_8)
                    + "' is not known: names of its members lie in memory that is damaged or missing");
        }
        return Optional.empty();
    }

    private long offsetOf(int id, int member) {
        int offset = wordOf(id, member + 2);
        return flag(id) ? offset & 0xffffff : Integer.toUnsignedLong(offset);
    }

    private boolean isLostText(int offset) {
        Btf owner = ownerOfText(offset);
        int from = owner.textAt(offset);
        return from < 0 || owner.isLost(from, from) || owner.isLost(from, Math.max(owner.textEnd(from), from));
    }

    private boolean isText(int offset, byte[] wanted) {
        Btf owner = ownerOfText(offset);
        int from = owner.textAt(offset);
        int end = from + wanted.length;
        if (wanted.length > LONGEST_TEXT) {
            return false;
        }
        int limit = owner.header.strings() + owner.header.stringsSize();
        return from >= 0
                && end < limit
                && owner.data[end] == 0
                && !owner.isLost(from, end)
                && Arrays.equals(owner.data, from, end, wanted, 0, wanted.length);
    }

    /** The constants of an enumeration. */
    List<KernelConstant> constants(int id) {
        boolean wide = kind(id) == BtfKind.ENUM64;
        boolean signed = flag(id);
        int words = wide ? 3 : 2;
        List<KernelConstant> constants = new ArrayList<>();
        for (int i = 0; i < elements(id); i++) {
            int at = 3 + words * i;
            int low = wordOf(id, at + 1);
            long value = wide
                    ? Integer.toUnsignedLong(low) | (long) wordOf(id, at + 2) << 32
                    : signed ? low : Integer.toUnsignedLong(low);
            constants.add(new KernelConstant(text(wordOf(id, at)), value));
        }
        return List.copyOf(constants);
    }

    /** The parameters of a function. */
    List<KernelParameter> parameters(int id) {
        return IntStream.range(0, elements(id))
                .mapToObj(i -> new KernelParameter(
                        text(wordOf(id, 3 + 2 * i)), type(wordOf(id, 4 + 2 * i))))
                .toList();
    }

    /** Whether an integer has a sign. */
    boolean isSignedInteger(int id) {
        return (wordOf(id, 3) >>> 24 & 1) != 0;
    }

    @Override
    public Optional<KernelType> find(String name) {
        return CNames.find(this, name);
    }

    /** The largest type of a name among those that are wanted. */
    Optional<KernelType> named(String name, Predicate<BtfKind> wanted) {
        Optional<KernelType> own = names.all(name).filter(id -> wanted.test(kind(id))).mapToObj(this::type)
                .reduce((one, other) -> other.size() > one.size() ? other : one);
        Optional<KernelType> kernels = base == null ? Optional.empty() : base.named(name, wanted);
        if (own.isPresent() && kernels.isPresent()) {
            return kernels.get().size() > own.get().size() ? kernels : own;
        }
        return own.or(() -> kernels);
    }

    /** The integers and floating-point numbers. */
    Stream<KernelType> numbers() {
        Stream<KernelType> own = names.numbers().mapToObj(this::type);
        return base == null ? own : Stream.concat(base.numbers(), own);
    }

    /** The named types; of a module those of its kernel first. */
    @Override
    public Stream<KernelType> stream() {
        Stream<KernelType> own = records(kind -> kind.isNamed() && kind != BtfKind.FUNC && kind != BtfKind.VAR)
                .filter(id -> nameOffset(id) != 0 && (lostPages.isEmpty() || !isLostText(nameOffset(id))))
                .mapToObj(this::type);
        return base == null ? own : Stream.concat(base.stream(), own);
    }

    private IntStream records(Predicate<BtfKind> wanted) {
        return IntStream.range(firstId, endId()).filter(id -> isKnown(id) && wanted.test(kind(id)));
    }

    @Override
    public Optional<KernelType> function(String name) {
        return declared(name, BtfKind.FUNC);
    }

    @Override
    public Optional<KernelType> variable(String name) {
        return declared(name, BtfKind.VAR);
    }

    private Optional<KernelType> declared(String name, BtfKind kind) {
        Optional<KernelType> own = names.all(name).filter(id -> kind(id) == kind)
                .mapToObj(id -> type(reference(id)))
                .findFirst();
        return own.isPresent() || base == null ? own : base.declared(name, kind);
    }

    @Override
    public Stream<KernelDeclaration> functions() {
        return declarations(BtfKind.FUNC);
    }

    @Override
    public Stream<KernelDeclaration> variables() {
        return declarations(BtfKind.VAR);
    }

    private Stream<KernelDeclaration> declarations(BtfKind wanted) {
        Stream<KernelDeclaration> own = records(kind -> kind == wanted)
                .filter(id -> lostPages.isEmpty() || isKnown(reference(id)) && !isLostText(nameOffset(id)))
                .mapToObj(id -> new KernelDeclaration(name(id), type(reference(id))));
        return base == null ? own : Stream.concat(base.declarations(wanted), own);
    }
}

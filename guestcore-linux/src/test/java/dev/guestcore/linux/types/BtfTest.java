package dev.guestcore.linux.types;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.linux.types.BtfBuilder.Member;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class BtfTest {

    static List<ByteOrder> orders() {
        return List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN);
    }

    @ParameterizedTest
    @MethodSource("orders")
    void readsEveryKind(ByteOrder order) {
        BtfBuilder btf = BtfBuilder.kernel(order);
        int unsignedLong = btf.integer("long unsigned int", 8, 0);
        int character = btf.integer("char", 1, 0);
        int integer = btf.integer("int", 4, 1);
        int bool = btf.integer("_Bool", 1, 4);
        int size = btf.typedef("size_t", unsignedLong);
        int comm = btf.array(character, integer, 16);
        int constant = btf.qualified(10, btf.qualified(9, btf.qualified(11, size)));
        int tag = btf.record(btf.string("rcu"), 18, 0, false, integer);
        int tagged = btf.pointer(tag);
        int task = btf.struct("task_struct", 64, Member.at(0, "comm", comm), Member.at(16, "count", constant),
                Member.at(24, "tagged", tagged), Member.at(32, "flag", bool));
        btf.union("word", 8, Member.at(0, "number", unsignedLong), Member.at(0, "text", character));
        btf.forward("hidden", false);
        btf.forward("mixed", true);
        btf.enumeration("state", true, -1, "BAD", "GOOD");
        btf.enumeration("plain", false, -1, "ALL");
        btf.enumeration64("wide", false, "HUGE", 0xfedcba9876543210L);
        btf.floating("double", 8);
        int operation = btf.prototype(integer, "task", btf.pointer(task), "", 0);
        btf.function("call", operation);
        btf.typedef("operation_t", btf.pointer(operation));
        btf.variable("runqueues", task);
        btf.record(btf.string(".data..percpu"), 15, 1, false, 64, 1, 0, 64);
        btf.record(btf.string("tag"), 17, 0, false, task, -1);

        Btf read = btf.read();

        assertEquals(order, read.byteOrder());
        KernelType found = read.get("struct task_struct");
        assertEquals(KernelType.Kind.STRUCT, found.kind());
        assertEquals(64, found.size());
        assertEquals(List.of("comm", "count", "tagged", "flag"),
                found.members().stream().map(KernelMember::name).toList());
        KernelType text = found.member("comm").orElseThrow().type();
        assertEquals("char [16]", text.toString());
        assertEquals(16, text.size());
        assertEquals(16, text.count());
        assertEquals(text, read.get("char[16]"));
        KernelMember count = found.member("count").orElseThrow();
        assertEquals(16, count.offset());
        assertEquals("size_t", count.type().toString());
        assertEquals(8, count.type().size());
        assertFalse(count.type().isSigned());
        assertEquals("long unsigned int", count.type().resolved().toString());
        assertEquals("int *", found.member("tagged").orElseThrow().type().toString());
        assertTrue(found.member("none").isEmpty());
        assertEquals(1, read.get("bool").size());
        assertEquals(KernelType.Kind.UNION, read.get("union word").kind());
        assertEquals(KernelType.Kind.UNION, read.get("word").kind());
        assertEquals("struct hidden", read.get("struct hidden").toString());
        assertTrue(read.find("union hidden").isEmpty());
        assertEquals("union mixed", read.get("union mixed").toString());
        assertEquals(List.of(new KernelConstant("BAD", -1), new KernelConstant("GOOD", 0)),
                read.get("enum state").constants());
        assertTrue(read.get("state").isSigned());
        assertEquals(List.of(new KernelConstant("ALL", 0xffffffffL)), read.get("enum plain").constants());
        assertEquals(List.of(new KernelConstant("HUGE", 0xfedcba9876543210L)), read.get("enum wide").constants());
        assertEquals(KernelType.Kind.FLOAT, read.get("double").kind());
        assertEquals("int (struct task_struct *task, ...)", read.function("call").orElseThrow().toString());
        KernelType pointer = read.get("operation_t").resolved();
        assertEquals("int (*)(struct task_struct *task, ...)", pointer.toString());
        assertEquals("int", pointer.target().flatMap(KernelType::target).orElseThrow().toString());
        assertEquals(found, read.variable("runqueues").orElseThrow());
        assertEquals(List.of("call"), read.functions().map(KernelDeclaration::name).toList());
        assertTrue(read.stream().anyMatch(found::equals));
        assertTrue(read.stream().noneMatch(type -> type.name().equals("call") || type.name().equals("runqueues")));
    }

    @Test
    void knowsCsOtherNames() {
        BtfBuilder btf = BtfBuilder.kernel();
        btf.integer("long unsigned int", 8, 0);
        btf.integer("unsigned int", 4, 0);
        btf.integer("short int", 2, 1);
        btf.integer("signed char", 1, 1);
        btf.integer("char", 1, 0);
        btf.integer("long long int", 8, 1);
        Btf read = btf.read();
        assertEquals("long unsigned int", read.get("unsigned long").toString());
        assertEquals("long unsigned int", read.get("unsigned long int").toString());
        assertEquals("unsigned int", read.get("unsigned").toString());
        assertEquals("short int", read.get("short").toString());
        assertEquals("signed char", read.get("signed char").toString());
        assertEquals("long long int", read.get("long long").toString());
        assertEquals("char **", read.get("const char **").toString());
        assertEquals("char *[2][3]", read.get("char *[2][3]").toString().replace("[2]", "[2]"));
        assertEquals(48, read.get("char *[2][3]").size());
        assertEquals("void *", read.get("void*").toString());
        assertTrue(read.find("double").isEmpty());
        assertTrue(read.find("int (*)(void)").isEmpty());
        assertTrue(read.find("").isEmpty());
        assertTrue(read.find("long unsigned struct").isEmpty());
        assertThrows(TypesException.class, () -> read.get("struct none"));
    }

    @Test
    void findsMembersOfMembers() {
        BtfBuilder btf = BtfBuilder.kernel();
        int integer = btf.integer("int", 4, 1);
        int upid = btf.struct("upid", 16, Member.at(0, "nr", integer), Member.at(8, "ns", btf.pointer(0)));
        int inner = btf.union("", 8, Member.at(0, "low", integer), Member.at(4, "high", integer));
        int outer = btf.struct("", 16, Member.at(0, "first", integer), Member.at(8, "", inner));
        btf.struct("pid", 128, Member.at(0, "count", integer), Member.at(16, "", outer),
                Member.at(96, "numbers", btf.array(upid, integer, 0)));
        KernelType pid = btf.read().get("pid");
        assertEquals(28, pid.member("high").orElseThrow().offset());
        assertEquals(128 + 8, pid.member("numbers[2].ns").orElseThrow().offset());
        assertEquals("int", pid.member("numbers[0].nr").orElseThrow().type().toString());
        assertTrue(pid.member("numbers.nr").isEmpty());
        assertTrue(pid.member("count.low").isEmpty());
        assertTrue(pid.member("").isEmpty());
        for (String wrong : List.of(".count", "numbers[", "numbers[-1]", "count.", "[0]", "a b", "numbers[0]nr")) {
            TypesException e = assertThrows(TypesException.class, () -> pid.member(wrong + ".x"), wrong);
            assertTrue(e.getMessage().contains("numbers[0].nr"), e.getMessage());
        }
    }

    @Test
    void readsBitFieldsOfBothForms() {
        BtfBuilder btf = BtfBuilder.kernel();
        int integer = btf.integer("unsigned int", 4, 0);
        int three = btf.integer("unsigned int", 4, 0, 5, 3);
        btf.structWithBits("today", 8, new Member("a", integer, 0, 0), new Member("b", integer, 35, 7));
        btf.struct("before", 8, new Member("a", integer, 0, 0), new Member("b", three, 32, 0));
        Btf read = btf.read();
        KernelMember today = read.get("today").member("b").orElseThrow();
        assertEquals(35, today.bitOffset());
        assertEquals(7, today.bitSize());
        assertEquals(0, read.get("today").member("a").orElseThrow().bitSize());
        KernelMember before = read.get("before").member("b").orElseThrow();
        assertEquals(37, before.bitOffset());
        assertEquals(3, before.bitSize());
        assertTrue(read.get("today").member("b.c").isEmpty());
    }

    @Test
    void readsMoreMembersThanSixteenBitsCount() {
        BtfBuilder btf = BtfBuilder.kernel();
        int integer = btf.integer("int", 4, 1);
        Member[] members = new Member[70_000];
        for (int i = 0; i < members.length; i++) {
            members[i] = Member.at(4 * i, i == 69_999 ? "last" : "same", integer);
        }
        btf.struct("huge", 280_000, members);
        btf.typedef("after", integer);
        Btf read = btf.read();
        assertEquals(279_996, read.get("huge").member("last").orElseThrow().offset());
        assertEquals("int", read.get("after").resolved().toString());
    }

    @Test
    void takesTheLargestOfOneName() {
        BtfBuilder btf = BtfBuilder.kernel();
        btf.struct("same", 8);
        btf.struct("same", 24);
        btf.struct("same", 16);
        assertEquals(24, btf.read().get("struct same").size());
    }

    @Test
    void modulesGoOnWhereTheirKernelEnds() {
        BtfBuilder kernel = BtfBuilder.kernel();
        int integer = kernel.integer("int", 4, 1);
        int list = kernel.struct("list_head", 16);
        kernel.forward("nvme_dev", false);
        BtfBuilder module = BtfBuilder.module(kernel);
        int device = module.struct("nvme_dev", 32, Member.at(0, "list", list), Member.at(16, "number", integer));
        module.function("nvme_irq", module.prototype(integer, "dev", module.pointer(device)));
        Btf kernelTypes = kernel.read();
        Btf read = Btf.readModule(MemorySegment.ofArray(module.bytes()), kernelTypes);
        KernelType found = read.get("struct nvme_dev");
        assertEquals(32, found.size());
        assertEquals(kernelTypes.get("list_head"), found.member("list").orElseThrow().type());
        assertEquals(KernelType.Kind.FORWARD, kernelTypes.get("nvme_dev").kind());
        assertEquals("int (struct nvme_dev *dev)", read.function("nvme_irq").orElseThrow().toString());
        assertTrue(read.stream().anyMatch(type -> type.name().equals("int")));
        assertEquals("int", read.get("int").toString());
    }

    @Test
    void honoursTheLengthOfTheHeaderAndTheLayoutOfUnknownKinds() {
        byte[] rows = new byte[4 * 31];
        rows[4 * 30] = 4;
        rows[4 * 30 + 1] = 8;
        BtfBuilder btf = BtfBuilder.kernel().layout(40, rows);
        btf.record(btf.string("new"), 30, 2, false, 0, 1, 2, 3, 4, 5);
        int integer = btf.integer("int", 4, 1);
        btf.struct("user", 8, Member.at(0, "strange", 1), Member.at(4, "plain", integer));
        Btf read = btf.read();
        assertEquals(4, read.get("int").size());
        KernelType user = read.get("user");
        assertEquals(4, user.member("plain").orElseThrow().offset());
        assertThrows(TypesException.class, () -> user.member("strange"));

        BtfBuilder without = BtfBuilder.kernel();
        without.record(0, 30, 0, false, 0);
        TypesException e = assertThrows(TypesException.class, without::read);
        assertTrue(e.getMessage().contains("kind 30, which is unknown"), e.getMessage());
    }

    /** Zeros between names may be overwritten: then each name would go on to the end, and all of them would fill the heap. */
    @Test
    void aNameThatNoKernelCanHaveIsNone() {
        BtfBuilder btf = BtfBuilder.kernel();
        btf.integer("i".repeat(1024), 4, 1);
        btf.integer("i".repeat(1025), 4, 1);
        Btf read = btf.read();
        assertEquals(1024, read.type(1).name().length());
        TypesException e = assertThrows(TypesException.class, () -> read.type(2).name());
        assertTrue(e.getMessage().contains(" does not end within 1024 bytes"), e.getMessage());
        assertTrue(read.find("i".repeat(1025)).isEmpty());
    }

    @Test
    void circlesEnd() {
        BtfBuilder btf = BtfBuilder.kernel();
        btf.typedef("snake", 2);
        btf.typedef("tail", 1);
        btf.qualified(10, 3);
        btf.pointer(4);
        btf.typedef("boxes", 6);
        btf.array(5, 5, 2);
        btf.record(0, 13, 1, false, 8, 0, 8);
        btf.pointer(7);
        btf.struct("self", 8, Member.at(0, "", 9), Member.at(0, "x", 10));
        btf.array(10, 10, 10);
        Btf read = btf.read();
        for (String name : List.of("snake", "boxes")) {
            KernelType type = read.type(name.equals("snake") ? 1 : 5);
            assertThrows(TypesException.class, type::size, name);
        }
        assertThrows(TypesException.class, () -> read.type(1).resolved());
        assertThrows(TypesException.class, () -> read.type(3));
        assertThrows(TypesException.class, () -> read.type(4));
        assertThrows(TypesException.class, () -> read.type(10));
        assertTrue(read.type(8).toString().length() < 10_000);
        KernelType self = read.get("self");
        assertTrue(self.member("y").isEmpty());
        assertThrows(TypesException.class, () -> self.member("x"));
    }

    @Test
    void wrongNumbersAndStringsEndInOneLine() {
        BtfBuilder btf = BtfBuilder.kernel();
        btf.typedef("far", 99);
        btf.typedef("negative", -1);
        btf.record(0x7fff_ffff, 4, 0, false, 8);
        int unnamed = btf.struct("user", 8, Member.at(0, "far", 99));
        btf.record(btf.string("var"), 14, 0, false, 1, 1);
        btf.typedef("to_var", 5);
        Btf read = btf.read();
        assertTrue(assertThrows(TypesException.class, () -> read.type(1).resolved()).getMessage()
                .startsWith("BTF: type 99: there is no such type; the last one is 6"));
        assertThrows(TypesException.class, () -> read.type(2).resolved());
        assertTrue(assertThrows(TypesException.class, () -> read.type(3).name()).getMessage()
                .contains("string at offset 0x7fffffff"));
        assertThrows(TypesException.class, () -> read.type(unnamed).members());
        assertThrows(TypesException.class, () -> read.type(5));
        assertThrows(TypesException.class, () -> read.type(6).resolved());
        assertThrows(TypesException.class, () -> read.type(7));
        assertThrows(TypesException.class, () -> read.type(-1));
    }

    @Test
    void everyTruncationEndsInOneLine() {
        BtfBuilder btf = BtfBuilder.kernel();
        int integer = btf.integer("int", 4, 1);
        btf.struct("one", 8, Member.at(0, "first", integer), Member.at(4, "second", integer));
        byte[] bytes = btf.bytes();
        for (int size = 0; size < bytes.length; size++) {
            MemorySegment part = MemorySegment.ofArray(bytes).asSlice(0, size);
            assertThrows(TypesException.class, () -> Btf.read(part), () -> "at " + part.byteSize());
        }
    }

    @Test
    void aStringWithoutItsEndIsDamage() {
        BtfBuilder btf = BtfBuilder.kernel();
        btf.integer("int", 4, 1);
        byte[] bytes = btf.bytes();
        bytes[bytes.length - 1] = 'x';
        Btf read = Btf.read(MemorySegment.ofArray(bytes));
        assertTrue(read.find("int").isEmpty());
        assertTrue(assertThrows(TypesException.class, () -> read.type(1).name()).getMessage()
                .contains("does not end"));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 5, 0xffff0, (1 << 20) - 3, (1 << 20) - 1})
    void findsTheKernelsTypesInMemory(long offset) {
        BtfBuilder kernel = BtfBuilder.kernel();
        int integer = kernel.integer("int", 4, 1);
        kernel.struct("task_struct", 8, Member.at(0, "pid", integer));
        BtfBuilder module = BtfBuilder.module(kernel);
        module.struct("nvme", 4, Member.at(0, "x", integer));
        byte[] ram = new byte[3 << 20];
        byte[] bytes = kernel.bytes();
        System.arraycopy(bytes, 0, ram, (int) offset, bytes.length);
        byte[] other = module.bytes();
        System.arraycopy(other, 0, ram, 2 << 20, other.length);
        // A head that promises more than there is.
        System.arraycopy(bytes, 0, ram, ram.length - 30, 30);
        GuestMemory memory = Guest.builder().ram(0x10000, MemorySegment.ofArray(ram)).build().memory();
        List<BtfFinder.Place> found = BtfFinder.search(memory, new AddressRange(0, -1L)).toList();
        assertEquals(1, found.size());
        assertEquals(0x10000 + offset, found.getFirst().address());
        assertArrayEquals(bytes, found.getFirst().types().bytes().toArray(ValueLayout.JAVA_BYTE));
        assertEquals(Optional.empty(),
                BtfFinder.search(memory, new AddressRange(0x10001 + offset, -1L)).findFirst());
        Btf again = BtfFinder.at(memory, 0x10000 + offset, bytes.length);
        assertEquals(8, again.get("task_struct").size());
        assertThrows(TypesException.class, () -> BtfFinder.at(memory, 0x10000, -1));
        assertThrows(TypesException.class, () -> BtfFinder.at(memory, 0x10000, 8));
    }

    /** Structures, types of functions and functions, in the order in which compilers write them, over some forty pages. */
    private static BtfBuilder large() {
        BtfBuilder builder = BtfBuilder.kernel();
        int number = builder.integer("int", 4, 1);
        Random random = new Random(11);
        for (int i = 0; i < 1500; i++) {
            int structure = builder.struct(
                    "structure_" + i, 8, Member.at(0, "first_of_" + i, number), Member.at(4, "second", number));
            if (random.nextBoolean()) {
                builder.typedef("name_of_" + i, structure);
            }
            int prototype = builder.prototype(number, "argument", builder.pointer(structure));
            builder.function("function_" + i, prototype);
        }
        return builder;
    }

    private static List<Integer> words(Btf btf, int id) {
        BtfRecord record = btf.record(id);
        return List.of(record.kind().ordinal(), record.nameOffset(), record.elements(), record.reference());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aDamagedPageCostsWhatLiesInIt(boolean noise) {
        byte[] good = large().bytes();
        Btf truth = Btf.read(MemorySegment.ofArray(good));
        Random random = new Random(5);
        int offset = 0x123;
        for (int page = 1; (page + 1) * 4096 - offset <= good.length; page++) {
            byte[] bad = good.clone();
            byte[] junk = new byte[4096];
            if (noise) {
                random.nextBytes(junk);
            }
            System.arraycopy(junk, 0, bad, page * 4096 - offset, 4096);
            try (Guest guest = Guest.builder().ram(0x1000, MemorySegment.ofArray(padded(bad, offset))).build()) {
                Btf damaged = BtfFinder.at(guest.memory(), 0x1000 + offset, bad.length);
                int number = page;
                assertTrue(damaged.damage().isPresent(), () -> "page " + number);
                // Of what ends there nobody knows the number.
                boolean isLast = number == (24 + typesSize(good) + offset) / 4096;
                assertTrue(isLast || truth.endId() == damaged.endId(), () -> "page " + number);
                int lost = truth.endId() - damaged.endId();
                for (int id = 1; id < damaged.endId(); id++) {
                    if (damaged.isKnown(id)) {
                        assertEquals(words(truth, id), words(damaged, id));
                    } else {
                        lost++;
                        int missing = id;
                        assertThrows(TypesException.class, () -> damaged.kind(missing));
                    }
                }
                assertTrue(lost < 300, lost + " lost with page " + page);
                assertSameOrSaid(truth, damaged);
            }
        }
    }

    private static int typesSize(byte[] section) {
        return MemorySegment.ofArray(section).get(ValueLayout.JAVA_INT_UNALIGNED, 12);
    }

    private static byte[] padded(byte[] section, int offset) {
        byte[] memory = new byte[offset + section.length + 4096];
        System.arraycopy(section, 0, memory, offset, section.length);
        return memory;
    }

    /** What is lost is never told to be something else; of a structure that is there, not to lack a member. */
    private static void assertSameOrSaid(Btf truth, Btf damaged) {
        for (int i = 0; i < 1500; i += 7) {
            String member = "first_of_" + i;
            KernelType whole = truth.get("struct structure_" + i);
            try {
                damaged.find("struct structure_" + i)
                        .ifPresent(found -> assertEquals(
                                whole.member(member).map(KernelMember::offset),
                                found.member(member).map(KernelMember::offset)));
            } catch (TypesException e) {
                assertTrue(String.valueOf(e.getMessage()).contains("damaged or missing"), e::getMessage);
            }
        }
    }
}

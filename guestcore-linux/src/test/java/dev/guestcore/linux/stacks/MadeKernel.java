package dev.guestcore.linux.stacks;

import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A kernel of a few functions with its unwinding table, and a stack, for tests. Numbers are as the kernel's headers
 * have them.
 */
public final class MadeKernel {

    static final long TEXT = 0xffffffff81000000L;
    static final long STACK = 0xffffc90000010000L;
    static final int STACK_BYTES = 1 << 14;

    private static final int IMAGE_BYTES = 1 << 20;
    private static final int CODE_ADDRESSES = 0x80000;
    private static final int ENTRIES = 0xa0000;
    private static final ValueLayout.OfLong WORD =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Registers in the order of the old numbering. */
    public enum Reg {
        UNDEFINED(0, 0),
        PREV_SP(1, 8),
        DX(2, 2),
        DI(3, 5),
        BP(4, 4),
        SP(5, 3),
        R10(6, 6),
        R13(7, 7),
        BP_INDIRECT(8, 10),
        SP_INDIRECT(9, 9);

        private final int old;
        private final int renumbered;

        Reg(int old, int renumbered) {
            this.old = old;
            this.renumbered = renumbered;
        }
    }

    /** Kinds of frames. */
    public enum Type {
        CALL,
        REGS,
        PARTIAL
    }

    private record Rule(long address, int spOffset, int bpOffset, int flags) {}

    private final OrcVersion version;
    private final byte[] image = new byte[IMAGE_BYTES];
    private final byte[] stack = new byte[STACK_BYTES];
    private final List<Rule> rules = new ArrayList<>();
    private final MadeSymbols symbols = new MadeSymbols();
    private long next = TEXT + 0x1000;

    public MadeKernel(OrcVersion version) {
        this.version = version;
        symbols.code(TEXT, "_text");
        // What most of a kernel is made of, so that the version can be told.
        for (int i = 0; i < 200; i++) {
            function("filler_" + i, Reg.SP, 8, Reg.UNDEFINED, 0, Type.CALL);
        }
    }

    /** Adds a function of 256 bytes with one rule, and gives its address. */
    public long function(String name, Reg sp, int spOffset, Reg bp, int bpOffset, Type type) {
        return add(name, spOffset, bpOffset, flags(sp, bp, type, type != Type.CALL, false));
    }

    /** Adds the outermost function of a stack. */
    public long outermost(String name) {
        return add(name, 0, 0, flags(Reg.UNDEFINED, Reg.UNDEFINED, Type.CALL, false, true));
    }

    /** Adds a function that has no rule. */
    public long unknown(String name) {
        boolean wide = version == OrcVersion.V3 || version == OrcVersion.V4;
        return add(name, 0, 0, wide ? 0 : flags(Reg.UNDEFINED, Reg.UNDEFINED, Type.CALL, false, false));
    }

    private long add(String name, int spOffset, int bpOffset, int flags) {
        long address = next;
        next += 0x100;
        symbols.code(address, name);
        rules.add(new Rule(address, spOffset, bpOffset, flags));
        return address;
    }

    private int flags(Reg sp, Reg bp, Type type, boolean signal, boolean end) {
        boolean newNumbers = version == OrcVersion.V4;
        int flags = (newNumbers ? sp.renumbered : sp.old) | (newNumbers ? bp.renumbered : bp.old) << 4;
        return flags
                | switch (version) {
                    case V1 -> type.ordinal() << 8 | (end ? 1 << 10 : 0);
                    case V2 -> type.ordinal() << 8 | (signal ? 1 << 10 : 0) | (end ? 1 << 11 : 0);
                    case V3, V4 -> (end ? 1 : type.ordinal() + 2) << 8 | (signal ? 1 << 11 : 0);
                };
    }

    /** Puts a word on the stack, at a distance from its start. */
    public MadeKernel word(int offset, long value) {
        MemorySegment.ofArray(stack).set(WORD, offset, value);
        return this;
    }

    /** Puts bytes into the image. */
    public MadeKernel bytes(long address, int... values) {
        for (int i = 0; i < values.length; i++) {
            image[(int) (address - TEXT) + i] = (byte) values[i];
        }
        return this;
    }

    public MadeSymbols symbols() {
        return symbols;
    }

    public GuestMemory memory() {
        MemorySegment bytes = MemorySegment.ofArray(image);
        for (int i = 0; i < rules.size(); i++) {
            Rule rule = rules.get(i);
            long place = CODE_ADDRESSES + (long) i * Integer.BYTES;
            bytes.set(INT, place, (int) (rule.address() - (TEXT + place)));
            long entry = ENTRIES + (long) i * OrcVersion.ENTRY_BYTES;
            bytes.set(SHORT, entry, (short) rule.spOffset());
            bytes.set(SHORT, entry + 2, (short) rule.bpOffset());
            bytes.set(SHORT, entry + 4, (short) rule.flags());
        }
        symbols.data(TEXT + CODE_ADDRESSES, "__start_orc_unwind_ip")
                .data(TEXT + CODE_ADDRESSES + (long) rules.size() * Integer.BYTES, "__stop_orc_unwind_ip")
                .data(TEXT + ENTRIES, "__start_orc_unwind")
                .data(TEXT + IMAGE_BYTES, "_end");
        return memoryWithoutTable();
    }

    /** The same kernel without its table and the symbols that lead to it. */
    public GuestMemory memoryWithoutTable() {
        return Guest.builder()
                .ram(STACK, MemorySegment.ofArray(stack))
                .ram(TEXT, MemorySegment.ofArray(image))
                .build()
                .memory();
    }

    public static MadeTypes types() {
        return new MadeTypes()
                .structure("inactive_task_frame", 56, Map.of("bp", 40L, "ret_addr", 48L));
    }

    public StackUnwinder unwinder() {
        return StackUnwinder.of(memory(), symbols, Optional.of(types()));
    }
}

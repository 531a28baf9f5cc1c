package dev.guestcore.linux.export;

import dev.guestcore.file.CoreSink;
import dev.guestcore.linux.stacks.OrcEntry;
import dev.guestcore.linux.stacks.OrcEntry.Base;
import dev.guestcore.linux.stacks.OrcEntry.Kind;
import dev.guestcore.linux.stacks.OrcTable;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import java.util.Arrays;
import java.util.Iterator;
import org.jspecify.annotations.Nullable;

/**
 * The section {@code .debug_frame} of the exported kernel, made from its ORC table: one description for each function,
 * one row for each entry of the table (DWARF 4, section 6.4; registers as the System V ABI for x86-64 numbers them).
 */
final class FrameTable {

    /** More than the rows of any real function. */
    private static final int MOST_BYTES = 1 << 20;

    private static final int CIE_VERSION = 3;
    private static final int DATA_ALIGNMENT = -8;

    private static final int RDX = 1;
    private static final int RBX = 3;
    private static final int RDI = 5;
    private static final int RBP = 6;
    private static final int RSP = 7;
    private static final int R10 = 10;
    private static final int R12 = 12;
    private static final int R13 = 13;
    private static final int R14 = 14;
    private static final int R15 = 15;
    private static final int RETURN_ADDRESS = 16;

    private static final int ADVANCE = 0x40;
    private static final int OFFSET = 0x80;
    private static final int ADVANCE_1 = 0x02;
    private static final int ADVANCE_2 = 0x03;
    private static final int ADVANCE_4 = 0x04;
    private static final int UNDEFINED = 0x07;
    private static final int SAME_VALUE = 0x08;
    private static final int DEF_CFA = 0x0c;
    private static final int DEF_CFA_EXPRESSION = 0x0f;
    private static final int EXPRESSION = 0x10;
    private static final int DEF_CFA_SIGNED = 0x12;

    private static final int OP_DEREF = 0x06;
    private static final int OP_CONST_SIGNED = 0x11;
    private static final int OP_PLUS = 0x22;
    private static final int OP_BASE_REGISTER = 0x70;

    /** Where {@code struct pt_regs} has the registers that a caller expects to find unchanged. */
    private static final int[][] SAVED = {{R15, 0}, {R14, 8}, {R13, 16}, {R12, 24}, {RBP, 32}, {RBX, 40}};

    private static final int SAVED_IP = 128;
    private static final int SAVED_SP = 152;

    private final KernelSymbols symbols;
    private final ImageLayout layout;
    private final OrcTable table;

    FrameTable(KernelSymbols symbols, ImageLayout layout, OrcTable table) {
        this.symbols = symbols;
        this.layout = layout;
        this.table = table;
    }

    /** Writes the section. */
    void write(CoreSink sink) {
        Bytes out = new Bytes();
        Bytes body = new Bytes();
        body.u32(-1).u8(CIE_VERSION).u8(0).uleb(1).sleb(DATA_ALIGNMENT).uleb(RETURN_ADDRESS);
        body.u8(DEF_CFA).uleb(RSP).uleb(Long.BYTES).u8(OFFSET | RETURN_ADDRESS).uleb(1);
        piece(out, body);
        Functions functions = new Functions(out, sink);
        table.forEach(functions::entry);
        functions.finish();
        out.drain(sink);
    }

    /** A length and so many bytes, padded with DW_CFA_nop to a multiple of eight. */
    private static void piece(Bytes out, Bytes body) {
        int padded = (body.size() + Integer.BYTES + Long.BYTES - 1 & -Long.BYTES) - Integer.BYTES;
        out.u32(padded).bytes(Arrays.copyOf(body.toArray(), padded));
        body.clear();
    }

    /** Goes through entries and functions side by side. */
    private final class Functions {

        private final Bytes out;
        private final CoreSink sink;
        private final Iterator<Symbol> starts;
        private final Bytes rows = new Bytes();
        private final Bytes body = new Bytes();
        private long start;
        private long at;
        private long next;
        private boolean open;
        private @Nullable OrcEntry current;
        private @Nullable OrcEntry shown;
        private boolean registersShown;

        Functions(Bytes out, CoreSink sink) {
            this.out = out;
            this.sink = sink;
            starts = symbols.stream()
                    .filter(symbol -> symbol.module().isEmpty() && symbol.isCode() && layout.contains(symbol.address()))
                    .iterator();
            next = starts.hasNext() ? starts.next().address() : Long.MAX_VALUE;
        }

        void entry(long address, OrcEntry entry) {
            while (next <= address) {
                begin(next);
                advance();
            }
            if (open && address >= at) {
                if (address != start) {
                    row(address, entry);
                } else {
                    rows.clear();
                    shown = null;
                    registersShown = false;
                    rule(entry);
                }
            }
            current = entry;
        }

        private void advance() {
            long passed = next;
            while (next == passed) {
                next = starts.hasNext() ? starts.next().address() : Long.MAX_VALUE;
            }
        }

        private void begin(long address) {
            close(address);
            start = address;
            at = address;
            open = true;
            shown = null;
            registersShown = false;
            if (current != null) {
                rule(current);
            }
        }

        void finish() {
            while (next != Long.MAX_VALUE) {
                begin(next);
                advance();
            }
            close(layout.running(layout.end()));
        }

        private void close(long end) {
            if (!open) {
                return;
            }
            body.u32(0).u64(layout.linked(start)).u64(end - start).append(rows);
            piece(out, body);
            out.drainIfFull(sink);
            rows.clear();
            open = false;
        }

        private void row(long address, OrcEntry entry) {
            if (entry.equals(shown) || rows.size() > MOST_BYTES) {
                return;
            }
            long distance = address - at;
            if (distance > 0 && distance < ADVANCE) {
                rows.u8(ADVANCE | (int) distance);
            } else if (distance > 0 && distance < 1 << Byte.SIZE) {
                rows.u8(ADVANCE_1).u8((int) distance);
            } else if (distance > 0 && distance < 1 << Short.SIZE) {
                rows.u8(ADVANCE_2).u16((int) distance);
            } else if (distance > 0) {
                rows.u8(ADVANCE_4).u32((int) distance);
            }
            at = address;
            rule(entry);
        }

        private void rule(OrcEntry entry) {
            shown = entry;
            switch (entry.kind()) {
                case UNDEFINED, END -> rows.u8(UNDEFINED).uleb(RETURN_ADDRESS);
                case CALL -> call(entry);
                case REGISTERS, INTERRUPT_FRAME -> interrupted(entry);
            }
        }

        private void call(OrcEntry entry) {
            int register = register(entry.stack());
            if (register < 0) {
                rows.u8(DEF_CFA_EXPRESSION);
                expression(address(entry, 0, false));
            } else if (entry.stackOffset() >= 0) {
                rows.u8(DEF_CFA).uleb(register).uleb(entry.stackOffset());
            } else if (entry.stackOffset() % DATA_ALIGNMENT == 0) {
                rows.u8(DEF_CFA_SIGNED).uleb(register).sleb(entry.stackOffset() / DATA_ALIGNMENT);
            } else {
                rows.u8(DEF_CFA_EXPRESSION);
                expression(address(entry, 0, false));
            }
            if (registersShown) {
                for (int[] saved : SAVED) {
                    rows.u8(SAME_VALUE).uleb(saved[0]);
                }
                registersShown = false;
            }
            rows.u8(OFFSET | RETURN_ADDRESS).uleb(1);
            framePointer(entry);
        }

        private void framePointer(OrcEntry entry) {
            int offset = entry.frameOffset();
            switch (entry.frame()) {
                case PREVIOUS_STACK -> {
                    if (offset % DATA_ALIGNMENT == 0 && offset <= 0) {
                        rows.u8(OFFSET | RBP).uleb(offset / DATA_ALIGNMENT);
                    } else {
                        // The expression begins with the caller's stack pointer.
                        rows.u8(EXPRESSION).uleb(RBP);
                        expression(new Bytes().u8(OP_CONST_SIGNED).sleb(offset).u8(OP_PLUS));
                    }
                }
                case BP -> {
                    rows.u8(EXPRESSION).uleb(RBP);
                    expression(new Bytes().u8(OP_BASE_REGISTER + RBP).sleb(offset));
                }
                default -> rows.u8(SAME_VALUE).uleb(RBP);
            }
        }

        /** All registers lie at the place that the entry tells, or only what the processor pushes. */
        private void interrupted(OrcEntry entry) {
            boolean whole = entry.kind() == Kind.REGISTERS;
            int shift = whole ? 0 : -SAVED_IP;
            rows.u8(DEF_CFA_EXPRESSION);
            expression(address(entry, shift + SAVED_SP, true));
            rows.u8(EXPRESSION).uleb(RETURN_ADDRESS);
            expression(address(entry, shift + SAVED_IP, false));
            if (whole) {
                for (int[] saved : SAVED) {
                    rows.u8(EXPRESSION).uleb(saved[0]);
                    expression(address(entry, saved[1], false));
                }
                registersShown = true;
            } else {
                framePointer(entry);
            }
        }

        private void expression(Bytes operations) {
            rows.uleb(operations.size()).append(operations);
        }
    }

    /** A register that an expression need not be used for, or -1. */
    private static int register(Base base) {
        return switch (base) {
            case SP -> RSP;
            case BP -> RBP;
            case R10 -> R10;
            case R13 -> R13;
            case DX -> RDX;
            case DI -> RDI;
            case AX -> 0;
            default -> -1;
        };
    }

    /** Computes where the caller's stack begins, plus a distance, and loads the word there if wanted. */
    private static Bytes address(OrcEntry entry, int distance, boolean load) {
        Bytes operations = new Bytes();
        int offset = entry.stackOffset();
        switch (entry.stack()) {
            case SP_INDIRECT -> {
                operations.u8(OP_BASE_REGISTER + RSP).sleb(0).u8(OP_DEREF);
                add(operations, offset + distance);
            }
            case BP_INDIRECT -> {
                operations.u8(OP_BASE_REGISTER + RBP).sleb(offset).u8(OP_DEREF);
                add(operations, distance);
            }
            default -> operations.u8(OP_BASE_REGISTER + Math.max(0, register(entry.stack()))).sleb(offset + distance);
        }
        return load ? operations.u8(OP_DEREF) : operations;
    }

    private static void add(Bytes operations, int distance) {
        if (distance != 0) {
            operations.u8(OP_CONST_SIGNED).sleb(distance).u8(OP_PLUS);
        }
    }
}

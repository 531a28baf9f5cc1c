package dev.guestcore.source.demo;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * One vCPU: executes machine code in 64-bit mode out of guest memory, through the guest's page tables. It has the
 * handful of instructions that the demo program needs, in their real encodings (Intel SDM volume 2), and their real
 * flags:
 *
 * <pre>
 * 01 /r  add r/m64, r64     31 /r  xor r/m64, r64     89 /r  mov r/m64, r64     8b /r  mov r64, r/m64
 * 83 /0  add r/m64, imm8    83 /6  xor r/m64, imm8    ff /0  inc r/m64 (also locked)   ff /1  dec r/m64
 * 75     jnz rel8           eb     jmp rel8           90     nop                f4     hlt
 * </pre>
 *
 * Operands in memory are addressed by one register without displacement. Used by one thread at a time.
 */
final class Processor {

    private static final ValueLayout.OfLong U64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle ALIGNED_U64 =
            ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN).varHandle();

    private static final long CARRY = 1;
    private static final long PARITY = 1 << 2;
    private static final long ADJUST = 1 << 4;
    private static final long ZERO = 1 << 6;
    private static final long SIGN = 1 << 7;
    private static final long OVERFLOW = 1 << 11;
    private static final long ARITHMETIC = CARRY | PARITY | ADJUST | ZERO | SIGN | OVERFLOW;

    private static final long FRAME = 0x000ffffffffff000L;
    private static final int LARGE = 1 << 7;
    private static final int CACHED_TRANSLATIONS = 64;
    private static final int LONGEST_INSTRUCTION = 8;

    private final PhysicalMemory memory;
    private final MemorySegment store;
    private final RegisterState initial;
    private final long pageTables;
    private final long[] general = new long[16];
    private final long[] cachedPages = new long[CACHED_TRANSLATIONS];
    private final long[] cachedOffsets = new long[CACHED_TRANSLATIONS];
    private long rip;
    private long flags;

    Processor(PhysicalMemory memory, RegisterState initial) {
        this.memory = memory;
        this.store = memory.store();
        this.initial = initial;
        this.pageTables = initial.get(X86.CR3);
        for (int number = 0; number < general.length; number++) {
            general[number] = initial.get(X86.general(number));
        }
        rip = initial.get(X86.RIP);
        flags = initial.get(X86.RFLAGS);
        Arrays.fill(cachedPages, -1);
    }

    /** All registers. */
    RegisterState registers() {
        RegisterState.Builder registers = initial.toBuilder();
        for (int number = 0; number < general.length; number++) {
            registers.set(X86.general(number), general[number]);
        }
        return registers.set(X86.RIP, rip).set(X86.RFLAGS, flags).build();
    }

    /**
     * Executes one instruction.
     *
     * @throws MachineFault if the processor does not have it, or it touches what is not there; nothing has changed then
     */
    void step() {
        long code = fetch();
        int at = 0;
        int opcode = (int) code & 0xff;
        boolean locked = opcode == 0xf0;
        if (locked) {
            opcode = (int) (code >>> 8 * ++at) & 0xff;
        }
        int extension = 0;
        if ((opcode & 0xf0) == 0x40) {
            extension = opcode;
            opcode = (int) (code >>> 8 * ++at) & 0xff;
        }
        at++;
        switch (opcode) {
            case 0x75 -> jump((flags & ZERO) == 0, (byte) (code >>> 8 * at), at + 1);
            case 0xeb -> jump(true, (byte) (code >>> 8 * at), at + 1);
            case 0x90 -> rip += at;
            case 0xf4 -> Thread.onSpinWait(); // stays here: no interrupt ever comes
            default -> withOperands(opcode, locked, extension, code >>> 8 * at, at);
        }
    }

    private void jump(boolean taken, byte displacement, int length) {
        rip += length + (taken ? displacement : 0);
    }

    private void withOperands(int opcode, boolean locked, int extension, long operands, int at) {
        int modes = (int) operands & 0xff;
        int operation = modes >> 3 & 7;
        int register = operation | (extension & 4) << 1;
        int other = modes & 7 | (extension & 1) << 3;
        boolean inRegister = modes >> 6 == 3;
        boolean simpleMemory = modes >> 6 == 0 && (modes & 7) != 4 && (modes & 7) != 5;
        if ((extension & 8) == 0 || !inRegister && !simpleMemory) {
            throw undefined();
        }
        long offset = inRegister ? -1 : translateOperand(general[other]);
        if (locked) {
            if (opcode != 0xff || operation != 0 || inRegister || (offset & 7) != 0) {
                throw undefined();
            }
            long before = (long) ALIGNED_U64.getAndAdd(store, offset, 1L);
            count(before, 1);
            rip += at + 1;
            return;
        }
        long value = inRegister ? general[other] : store.get(U64, offset);
        switch (opcode) {
            case 0x01 -> set(other, offset, add(value, general[register]));
            case 0x31 -> set(other, offset, xor(value, general[register]));
            case 0x89 -> set(other, offset, general[register]);
            case 0x8b -> general[register] = value;
            case 0x83 -> {
                long immediate = (byte) (operands >>> 8);
                switch (operation) {
                    case 0 -> set(other, offset, add(value, immediate));
                    case 6 -> set(other, offset, xor(value, immediate));
                    default -> throw undefined();
                }
                rip++;
            }
            case 0xff -> {
                switch (operation) {
                    case 0 -> set(other, offset, count(value, 1));
                    case 1 -> set(other, offset, count(value, -1));
                    default -> throw undefined();
                }
            }
            default -> throw undefined();
        }
        rip += at + 1;
    }

    private void set(int register, long offset, long value) {
        if (offset < 0) {
            general[register] = value;
        } else {
            store.set(U64, offset, value);
        }
    }

    private long add(long left, long right) {
        long sum = left + right;
        long carry = Long.compareUnsigned(sum, left) < 0 ? CARRY : 0;
        long overflow = ((left ^ sum) & (right ^ sum)) < 0 ? OVERFLOW : 0;
        flags = flags & ~ARITHMETIC | carry | overflow | (left ^ right ^ sum) & ADJUST | ofResult(sum);
        return sum;
    }

    private long xor(long left, long right) {
        long result = left ^ right;
        flags = flags & ~ARITHMETIC | ofResult(result);
        return result;
    }

    /** Increment or decrement, which leave the carry flag alone. */
    private long count(long value, int step) {
        long result = value + step;
        long overflow = (step > 0 ? ~value & result : value & ~result) < 0 ? OVERFLOW : 0;
        flags = flags & ~(ARITHMETIC & ~CARRY) | overflow | (value ^ 1 ^ result) & ADJUST | ofResult(result);
        return result;
    }

    private static long ofResult(long result) {
        long zero = result == 0 ? ZERO : 0;
        long sign = result < 0 ? SIGN : 0;
        long parity = (Long.bitCount(result & 0xff) & 1) == 0 ? PARITY : 0;
        return zero | sign | parity;
    }

    /** The next eight bytes of code, fewer at the end of a page: no instruction of ours reaches over one. */
    private long fetch() {
        long offset = translate(rip);
        int inPage = DemoLayout.PAGE_SIZE - (int) (rip & DemoLayout.PAGE_SIZE - 1);
        if (inPage >= LONGEST_INSTRUCTION) {
            return store.get(U64, offset);
        }
        long code = 0;
        for (int i = inPage - 1; i >= 0; i--) {
            code = code << Byte.SIZE | store.get(ValueLayout.JAVA_BYTE, offset + i) & 0xff;
        }
        return code;
    }

    /** Offset in the store of eight bytes at a virtual address, which must lie in one page. */
    private long translateOperand(long address) {
        if ((address & DemoLayout.PAGE_SIZE - 1) > DemoLayout.PAGE_SIZE - Long.BYTES) {
            throw new MachineFault("operand across pages at 0x" + Long.toHexString(address), rip);
        }
        return translate(address);
    }

    /** Offset in the store of a virtual address. */
    private long translate(long address) {
        long page = address & -DemoLayout.PAGE_SIZE;
        int slot = (int) (address >>> 12) & CACHED_TRANSLATIONS - 1;
        if (cachedPages[slot] != page) {
            cachedOffsets[slot] = walk(page);
            cachedPages[slot] = page;
        }
        return cachedOffsets[slot] + (address - page);
    }

    /** Four levels of nine bits each (Intel SDM volume 3, section 4.5). */
    private long walk(long page) {
        long table = pageTables;
        for (int shift = 39; shift >= 12; shift -= 9) {
            long entry = memory.get(table + (page >>> shift & 0x1ff) * Long.BYTES);
            if ((entry & 1) == 0) {
                throw new MachineFault("page fault at 0x" + Long.toHexString(page), rip);
            }
            table = entry & FRAME;
            if (shift == 21 && (entry & LARGE) != 0) {
                table = table + (page & 0x1ff000);
                break;
            }
        }
        long offset = memory.offset(table);
        if (offset < 0) {
            throw new MachineFault("no memory at 0x" + Long.toHexString(table), rip);
        }
        return offset;
    }

    private MachineFault undefined() {
        return new MachineFault("undefined instruction", rip);
    }
}

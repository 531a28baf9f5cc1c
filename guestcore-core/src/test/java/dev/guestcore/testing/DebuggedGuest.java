package dev.guestcore.testing;

import dev.guestcore.Guest;
import dev.guestcore.Provenance;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * A guest for debuggers to look at: two vCPUs in long mode whose page tables show different pages at one address.
 *
 * <pre>
 *  0x1000 root of vCPU 0       0x2000, 0x3000, 0x4000 its tables       0x5000 root of vCPU 1, 0x6000.. its tables
 *  0x9000 code: nop and ret    0xa000 a text for vCPU 0                0xb000 another for vCPU 1
 *  0xc000 stack, every word its own address times three                0xd000 all the byte values in order
 * </pre>
 *
 * From {@link #BASE} on, virtual page k is physical page 9 + k, but page 1 is 0xb000 for vCPU 1, and page 2 shows the
 * code again. Page 7 is not mapped.
 */
public final class DebuggedGuest {

    /** The first mapped virtual address. */
    public static final long BASE = 0xffff_ffff_8100_0000L;

    /** Where the text lies that differs between the vCPUs. */
    public static final long TEXT = BASE + 0x1000;

    /** The text of vCPU 0. */
    public static final String TEXT_0 = "Guestcore shows vCPU 0 this";

    /** The text of vCPU 1. */
    public static final String TEXT_1 = "Guestcore shows vCPU 1 that";

    /** Where the stack lies. */
    public static final long STACK = BASE + 0x3000;

    /** Where all byte values lie. */
    public static final long BYTES = BASE + 0x4000;

    /** An address that is not mapped. */
    public static final long NOT_MAPPED = BASE + 0x7000;

    private static final int PAGE = 0x1000;
    private static final int TABLE_FLAGS = 0x3;

    private DebuggedGuest() {}

    /** The guest. */
    public static Guest create() {
        ByteBuffer memory = ByteBuffer.allocate(16 * PAGE).order(ByteOrder.LITTLE_ENDIAN);
        tables(memory, 0x1000, 0xa000);
        tables(memory, 0x5000, 0xb000);
        for (int i = 0; i < PAGE; i++) {
            memory.put(0x9000 + i, (byte) (i % 2 == 0 ? 0x90 : 0xc3));
        }
        memory.put(0xa000, TEXT_0.getBytes(StandardCharsets.US_ASCII));
        memory.put(0xb000, TEXT_1.getBytes(StandardCharsets.US_ASCII));
        for (int i = 0; i < PAGE; i += 8) {
            memory.putLong(0xc000 + i, 3 * (STACK + i));
            memory.put(0xd000 + i / 8 % 256, (byte) (i / 8));
        }
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(memory.array()))
                .device(0xfee0_0000L, PAGE, "apic")
                .vcpu(registers(0, 0x1000))
                .vcpu(registers(1, 0x5000))
                .provenance(Provenance.of("made up", "test"))
                .build();
    }

    private static void tables(ByteBuffer memory, int root, int textPage) {
        memory.putLong(root + 511 * 8, root + PAGE | TABLE_FLAGS);
        memory.putLong(root + PAGE + 510 * 8, root + 2 * PAGE | TABLE_FLAGS);
        memory.putLong(root + 2 * PAGE + 8 * 8, root + 3 * PAGE | TABLE_FLAGS);
        for (int page = 0; page < 7; page++) {
            int physical =
                    switch (page) {
                        case 1 -> textPage;
                        case 2 -> 0x9000;
                        default -> 0x9000 + page * PAGE;
                    };
            memory.putLong(root + 3 * PAGE + page * 8, physical | TABLE_FLAGS);
        }
    }

    /** Registers of a vCPU in 64-bit mode, each with a value of its own. */
    public static RegisterState registers(int vcpu, long root) {
        RegisterState.Builder registers = RegisterState.builder();
        for (int i = 0; i < 16; i++) {
            registers.set(X86.general(i), 0x1111_1111_1111_1100L * (i + 1) + vcpu);
            byte[] vector = new byte[32];
            for (int k = 0; k < vector.length; k++) {
                vector[k] = (byte) (16 * i + k);
            }
            registers.set(X86.ymm(i), vector);
        }
        registers.set(X86.RSP, STACK).set(X86.RBP, 0).set(X86.RIP, BASE + 2L * vcpu).set(X86.RFLAGS, 0x246);
        registers.set(X86.CS, 0x10).set(X86.CS_ATTRIBUTES, 0xa09b).set(X86.CS_BASE, 0).set(X86.SS, 0x18);
        registers.set(X86.CR0, 0x8005_0033L).set(X86.CR2, 0xdead_0000L).set(X86.CR3, root).set(X86.CR4, 0xa0);
        registers.set(X86.EFER, 0xd01).set(X86.FS_BASE, 0x7f00_1234_5000L).set(X86.GS_BASE, BASE + 0x5000);
        registers.set(X86.KERNEL_GS_BASE, 0x1234).set(X86.GDTR_BASE, BASE + 0x6000).set(X86.GDTR_LIMIT, 0x7f);
        registers.set(X86.FCW, 0x37f).set(X86.FSW, 0x3000).set(X86.FTW, 0b1100_0000);
        registers.set(X86.ST0, new byte[] {0, 0, 0, 0, 0, 0, 0, (byte) 0x80, (byte) 0xff, 0x3f});
        registers.set(X86.ST1, new byte[10]).set(X86.MXCSR, 0x1f80);
        return registers.build();
    }
}

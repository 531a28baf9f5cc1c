package dev.guestcore.format.vbox;

import dev.guestcore.Vcpu;
import dev.guestcore.cpu.X86;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The descriptor of a note CORE of type NT_PRSTATUS as Linux writes it on x86-64: struct elf_prstatus of
 * {@code linux/elfcore.h} with user_regs_struct. Debuggers take the registers of a thread from it; here a vCPU is one.
 * Little-endian, 336 bytes: pr_pid u32 at 32, registers from 112 on, 8 bytes each.
 */
final class Prstatus {

    static final int SIZE = 336;

    private static final int PID = 32;
    private static final int REGISTERS = 112;
    private static final int ORIGINAL_RAX = REGISTERS + 15 * Long.BYTES;
    private static final X86[] BEFORE_ORIGINAL_RAX = {
        X86.R15, X86.R14, X86.R13, X86.R12, X86.RBP, X86.RBX, X86.R11, X86.R10,
        X86.R9, X86.R8, X86.RAX, X86.RCX, X86.RDX, X86.RSI, X86.RDI
    };
    private static final X86[] BEHIND_ORIGINAL_RAX = {
        X86.RIP, X86.CS, X86.RFLAGS, X86.RSP, X86.SS, X86.FS_BASE, X86.GS_BASE, X86.DS, X86.ES, X86.FS, X86.GS
    };

    private Prstatus() {}

    /** The descriptor of a vCPU; what is not known is zero. */
    static byte[] of(Vcpu vcpu, int number) {
        ByteBuffer bytes = ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN);
        // A thread with number 0 would be the idle task to a debugger.
        bytes.putInt(PID, number + 1);
        bytes.position(REGISTERS);
        for (X86 register : BEFORE_ORIGINAL_RAX) {
            bytes.putLong(vcpu.registers().getOrElse(register, 0));
        }
        // All ones: the thread is not in a system call.
        bytes.putLong(ORIGINAL_RAX, -1L).position(ORIGINAL_RAX + Long.BYTES);
        for (X86 register : BEHIND_ORIGINAL_RAX) {
            bytes.putLong(vcpu.registers().getOrElse(register, 0));
        }
        return bytes.array();
    }
}

package dev.guestcore.internal.elf;

import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.X86;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The descriptor of an NT_PRSTATUS note: Linux' {@code struct elf_prstatus}. Of it, dumps of machines fill in the number of
 * the process (here: of the vCPU, from 1) and the registers. Little-endian; source: docs/formats/elf.md.
 *
 * <pre>
 *            x86-64     i386
 *  size         336      144
 *  pid u32       32       24
 *  registers    112       72
 *  width          8        4
 *  order     r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss
 *            fs_base gs_base ds es fs gs
 *            ebx ecx edx esi edi ebp eax ds es fs gs orig_eax eip cs eflags esp ss
 * </pre>
 */
public enum ProcessStatus {
    /** Of a kernel in long mode. */
    X86_64(
            336,
            32,
            112,
            8,
            "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi - rip cs rflags rsp ss fs.base gs.base ds es fs"
                    + " gs"),
    /** Of a 32-bit kernel. */
    I386(144, 24, 72, 4, "rbx rcx rdx rsi rdi rbp rax ds es fs gs - rip cs rflags rsp ss");

    private final int size;
    private final int processOffset;
    private final int registersOffset;
    private final int width;

    /** Names of registers; "-" is the number of a system call, which says nothing about a machine. */
    private final List<String> order;

    ProcessStatus(int size, int processOffset, int registersOffset, int width, String order) {
        this.size = size;
        this.processOffset = processOffset;
        this.registersOffset = registersOffset;
        this.width = width;
        this.order = List.of(order.split(" "));
    }

    /** Size of the structure in bytes. */
    public int size() {
        return size;
    }

    /** Where the registers end. What follows, pr_fpvalid, says nothing of a machine, and not all writers have it. */
    int registersEnd() {
        return registersOffset + width * order.size();
    }

    /** The registers that the structure has a place for. */
    List<X86> registers() {
        return order.stream().flatMap(label -> X86.ofLabel(label).stream()).toList();
    }

    /** The number of the process; QEMU has that of the vCPU there, from 1. */
    int process(ByteBuffer descriptor) {
        return descriptor.order(ByteOrder.LITTLE_ENDIAN).getInt(processOffset);
    }

    /** Reads the registers. */
    void read(ByteBuffer descriptor, RegisterState.Builder registers) {
        descriptor.order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < order.size(); i++) {
            int at = registersOffset + width * i;
            long value = width == 8 ? descriptor.getLong(at) : Integer.toUnsignedLong(descriptor.getInt(at));
            X86.ofLabel(order.get(i)).ifPresent(register -> registers.set(register, value));
        }
    }

    /** The structure for a vCPU; a register that is not known is zero. */
    public byte[] write(int process, RegisterState registers) {
        ByteBuffer target = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        target.putInt(processOffset, process);
        for (int i = 0; i < order.size(); i++) {
            int at = registersOffset + width * i;
            long value = X86.ofLabel(order.get(i))
                    .map(register -> registers.getOrElse(register, 0))
                    .orElse(0L);
            if (width == 8) {
                target.putLong(at, value);
            } else {
                target.putInt(at, (int) value);
            }
        }
        return target.array();
    }
}

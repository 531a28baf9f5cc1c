package dev.guestcore.source.demo;

import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;

/**
 * Brings the demo machine to where a boot loader would leave it: 64-bit mode with paging, descriptor tables in memory
 * that agree with the registers (Intel SDM volume 3, chapters 3 to 6), and the program ready to run.
 */
final class Firmware {

    private static final long PRESENT = 1;
    private static final long WRITABLE = 1 << 1;
    private static final long CACHE_DISABLED = 1 << 4;
    private static final long ACCESSED = 1 << 5;
    private static final long DIRTY = 1 << 6;
    private static final long LARGE = 1 << 7;
    private static final long TABLE = PRESENT | WRITABLE | ACCESSED;
    private static final long LARGE_PAGE = 2L << 20;

    private static final long PML4 = DemoLayout.PAGE_TABLES;
    private static final long PDPT = PML4 + 0x1000;
    private static final long FIRST_DIRECTORY = PDPT + 0x1000;
    private static final long FOURTH_DIRECTORY = FIRST_DIRECTORY + 0x1000;
    private static final long FIFTH_DIRECTORY = FOURTH_DIRECTORY + 0x1000;
    private static final long FIRST_TABLE = FIFTH_DIRECTORY + 0x1000;

    private static final long CODE_DESCRIPTOR = 0x00af9b000000ffffL;
    private static final long DATA_DESCRIPTOR = 0x00cf93000000ffffL;
    private static final int CODE_ATTRIBUTES = 0xa09b;
    private static final int DATA_ATTRIBUTES = 0xc093;
    private static final int BUSY_TASK_ATTRIBUTES = 0x8b;
    private static final int UNUSABLE = 1 << 16;
    private static final int EXCEPTIONS = 32;

    private Firmware() {}

    /** Fills the memory of a machine with that many vCPUs. */
    static void prepare(PhysicalMemory memory, long ram, int vcpus) {
        pageTables(memory, ram);
        descriptorTables(memory, vcpus);
        memory.put(DemoLayout.CODE, DemoProgram.code());
        memory.put(DemoLayout.HANDLER, DemoProgram.handler());
        for (int vcpu = 0; vcpu < vcpus; vcpu++) {
            for (int index = 0; index < DemoLayout.OWN_PAGES; index++) {
                long page = DemoLayout.ownPage(vcpu, index);
                memory.put(DemoLayout.pageList(vcpu) + (long) index * Long.BYTES, page);
                for (int word = 0; word < DemoLayout.WORDS_PER_PAGE; word++) {
                    long address = page + (long) word * Long.BYTES;
                    memory.put(address, address);
                }
            }
        }
        memory.put(
                DemoLayout.BANNER,
                "Guestcore demo guest: " + vcpus + " vCPUs count in rax and write what they counted to memory.\0");
        memory.put(DemoLayout.NEEDLE, "This is the needle that you searched for in the demo guest.\0");
        memory.put(DemoLayout.ROM, "Guestcore demo ROM\0");
        memory.put(DemoLayout.ROM + DemoLayout.ROM_SIZE - 16, new byte[] {(byte) 0xeb, (byte) 0xfe});
    }

    private static void pageTables(PhysicalMemory memory, long ram) {
        memory.put(PML4, PDPT | TABLE);
        memory.put(PDPT, FIRST_DIRECTORY | TABLE);
        memory.put(PDPT + 3 * Long.BYTES, FOURTH_DIRECTORY | TABLE);
        memory.put(PDPT + 4 * Long.BYTES, FIFTH_DIRECTORY | TABLE);
        memory.put(FIRST_DIRECTORY, FIRST_TABLE | TABLE);
        for (long address = LARGE_PAGE; address < ram; address += LARGE_PAGE) {
            memory.put(FIRST_DIRECTORY + address / LARGE_PAGE * Long.BYTES, address | TABLE | DIRTY | LARGE);
        }
        for (int entry = 0; entry < DemoLayout.WORDS_PER_PAGE; entry++) {
            long offset = (long) entry * Long.BYTES;
            long page = (long) entry * DemoLayout.PAGE_SIZE;
            boolean device = page >= DemoLayout.VGA && page < DemoLayout.VGA + DemoLayout.VGA_SIZE;
            memory.put(FIRST_TABLE + offset, page | TABLE | DIRTY | (device ? CACHE_DISABLED : 0));
            long large = entry * LARGE_PAGE;
            if (3 * (1L << 30) + large >= DemoLayout.IOAPIC) {
                memory.put(
                        FOURTH_DIRECTORY + offset,
                        3 * (1L << 30) + large | TABLE | DIRTY | LARGE | CACHE_DISABLED);
            }
            if (large < DemoLayout.HIGH_RAM_SIZE) {
                memory.put(FIFTH_DIRECTORY + offset, DemoLayout.HIGH_RAM + large | TABLE | DIRTY | LARGE);
            }
        }
    }

    private static void descriptorTables(PhysicalMemory memory, int vcpus) {
        memory.put(DemoLayout.GDT + DemoLayout.CODE_SELECTOR, CODE_DESCRIPTOR);
        memory.put(DemoLayout.GDT + DemoLayout.DATA_SELECTOR, DATA_DESCRIPTOR);
        for (int vcpu = 0; vcpu < vcpus; vcpu++) {
            long descriptor = DemoLayout.GDT + taskSelector(vcpu);
            long base = task(vcpu);
            memory.put(descriptor, DemoLayout.TASK_SIZE - 1 | base << 16 | (long) BUSY_TASK_ATTRIBUTES << 40);
            memory.put(descriptor + Long.BYTES, 0L);
            memory.put(base + 4, stack(vcpu));
            memory.put(base + 0x60, (long) DemoLayout.TASK_SIZE << 48);
        }
        long gate = DemoLayout.HANDLER & 0xffff
                | (long) DemoLayout.CODE_SELECTOR << 16
                | 0x8eL << 40
                | (DemoLayout.HANDLER >>> 16 & 0xffff) << 48;
        for (int vector = 0; vector < EXCEPTIONS; vector++) {
            memory.put(DemoLayout.IDT + vector * 16L, gate);
        }
    }

    private static int taskSelector(int vcpu) {
        return DemoLayout.FIRST_TASK_SELECTOR + vcpu * 16;
    }

    private static long task(int vcpu) {
        return DemoLayout.TASKS + (long) vcpu * DemoLayout.TASK_STRIDE;
    }

    private static long stack(int vcpu) {
        return DemoLayout.STACKS + (long) vcpu * DemoLayout.PAGE_SIZE;
    }

    /** The registers of a vCPU that is about to run its first instruction. */
    static RegisterState registers(int vcpu, int vcpus) {
        RegisterState.Builder registers = RegisterState.builder();
        for (int number = 0; number < 16; number++) {
            registers.set(X86.general(number), 0);
        }
        registers
                .set(X86.RSP, stack(vcpu))
                .set(X86.R8, DemoLayout.pageList(vcpu))
                .set(X86.R9, DemoLayout.OWN_PAGES)
                .set(X86.R10, DemoLayout.WORDS_PER_PAGE)
                .set(X86.R14, vcpu)
                .set(X86.R15, DemoLayout.COUNTER)
                .set(X86.RIP, DemoLayout.CODE)
                .set(X86.RFLAGS, 2);
        segment(registers, X86.CS, DemoLayout.CODE_SELECTOR, CODE_ATTRIBUTES);
        for (X86 selector : new X86[] {X86.DS, X86.ES, X86.FS, X86.GS, X86.SS}) {
            segment(registers, selector, DemoLayout.DATA_SELECTOR, DATA_ATTRIBUTES);
        }
        registers
                .set(X86.GDTR_BASE, DemoLayout.GDT)
                .set(X86.GDTR_LIMIT, taskSelector(vcpus) - 1)
                .set(X86.IDTR_BASE, DemoLayout.IDT)
                .set(X86.IDTR_LIMIT, DemoLayout.IDT_SIZE - 1)
                .set(X86.LDTR, 0)
                .set(X86.LDTR_BASE, 0)
                .set(X86.LDTR_LIMIT, 0)
                .set(X86.LDTR_ATTRIBUTES, UNUSABLE)
                .set(X86.TR, taskSelector(vcpu))
                .set(X86.TR_BASE, task(vcpu))
                .set(X86.TR_LIMIT, DemoLayout.TASK_SIZE - 1)
                .set(X86.TR_ATTRIBUTES, BUSY_TASK_ATTRIBUTES);
        registers
                .set(X86.CR0, 0x80010033L)
                .set(X86.CR2, 0)
                .set(X86.CR3, PML4)
                .set(X86.CR4, 0x620)
                .set(X86.CR8, 0)
                .set(X86.XCR0, 1)
                .set(X86.DR0, 0)
                .set(X86.DR1, 0)
                .set(X86.DR2, 0)
                .set(X86.DR3, 0)
                .set(X86.DR6, 0xffff0ff0L)
                .set(X86.DR7, 0x400)
                .set(X86.EFER, 0xd01)
                .set(X86.STAR, 0)
                .set(X86.LSTAR, DemoLayout.HANDLER)
                .set(X86.CSTAR, 0)
                .set(X86.SFMASK, 0)
                .set(X86.KERNEL_GS_BASE, 0)
                .set(X86.PAT, 0x0007040600070406L)
                .set(X86.SYSENTER_CS, 0)
                .set(X86.SYSENTER_ESP, 0)
                .set(X86.SYSENTER_EIP, 0)
                .set(X86.APIC_BASE, DemoLayout.LOCAL_APIC | 0x800 | (vcpu == 0 ? 0x100 : 0))
                .set(X86.TSC_AUX, vcpu);
        floatingPoint(registers);
        return registers.build();
    }

    private static void segment(RegisterState.Builder registers, X86 selector, int value, int attributes) {
        registers
                .set(selector, value)
                .set(X86.ofLabel(selector.label() + ".base").orElseThrow(), 0)
                .set(X86.ofLabel(selector.label() + ".limit").orElseThrow(), 0xffffffffL)
                .set(X86.ofLabel(selector.label() + ".attributes").orElseThrow(), attributes);
    }

    /** Byte k of xmm register i is 16 * i + k, so that a mix-up shows. */
    private static void floatingPoint(RegisterState.Builder registers) {
        registers
                .set(X86.FCW, 0x37f)
                .set(X86.FSW, 0)
                .set(X86.FTW, 0)
                .set(X86.FOP, 0)
                .set(X86.FIP, 0)
                .set(X86.FDP, 0)
                .set(X86.MXCSR, 0x1f80)
                .set(X86.MXCSR_MASK, 0xffff);
        for (int i = 0; i < 8; i++) {
            registers.set(X86.st(i), new byte[10]);
        }
        for (int i = 0; i < 16; i++) {
            byte[] bytes = new byte[16];
            for (int k = 0; k < bytes.length; k++) {
                bytes[k] = (byte) (16 * i + k);
            }
            registers.set(X86.xmm(i), bytes);
        }
    }
}

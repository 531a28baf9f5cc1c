package dev.guestcore.testing;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Memory of 16 MiB with what a Linux kernel on x86-64 leaves there: an image of 4 MiB moved by KASLR, page tables in it that
 * map the image and all memory, a banner, VMCOREINFO. Layout of the image, from its start: 0x1000 the banner, 0x2000 a text,
 * 0x100000 init_uts_ns, 0x200000 init_top_pgt.
 */
public final class MadeUpKernel {

    /** Bytes of memory. */
    public static final int SIZE = 16 << 20;

    /** What lies 0x2000 bytes behind the start of the image. */
    public static final String TEXT = "a text of the kernel";

    private static final long LINKED = 0xffff_ffff_8100_0000L;
    private static final long WINDOW = 0xffff_ffff_8000_0000L;
    private static final long DIRECT_MAP_4 = 0xffff_8880_0000_0000L;
    private static final long DIRECT_MAP_5 = 0xff11_0000_0000_0000L;
    private static final int LARGE = 2 << 20;
    private static final int SYMBOLS = 0x11_0000;

    private final ByteBuffer memory;
    private final long offset;
    private final int physical;
    private final long mask;
    private final boolean five;
    private int nextTable;

    private MadeUpKernel(ByteBuffer memory, long offset, int physical, long mask, boolean five) {
        this.memory = memory;
        this.offset = offset;
        this.physical = physical;
        this.mask = mask;
        this.five = five;
        this.nextTable = root() + 0x1000;
        map(LINKED + offset, physical, 2);
        map(five ? DIRECT_MAP_5 : DIRECT_MAP_4, 0, SIZE / LARGE);
        put(physical + 0x1000, banner());
        put(physical + 0x2000, TEXT);
    }

    /** A kernel moved by {@code offset} bytes, a multiple of 2 MiB, at {@code physical}. */
    public static MadeUpKernel at(long offset, int physical) {
        return new MadeUpKernel(newMemory(), offset, physical, 0, false);
    }

    /** The same with an encryption bit in all entries, or with five levels. */
    public static MadeUpKernel at(long offset, int physical, long mask, boolean five) {
        return new MadeUpKernel(newMemory(), offset, physical, mask, five);
    }

    /** Another kernel in the same memory. */
    public MadeUpKernel beside(long otherOffset, int otherPhysical) {
        return new MadeUpKernel(memory, otherOffset, otherPhysical, 0, false);
    }

    private static ByteBuffer newMemory() {
        return ByteBuffer.allocate(SIZE).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Guest-physical address of the root table. */
    public int root() {
        return physical + LARGE;
    }

    /** Virtual address of {@link #TEXT}. */
    public long textAddress() {
        return LINKED + offset + 0x2000;
    }

    public String release() {
        return "6.1.0-9-example";
    }

    private String banner() {
        return "Linux version " + release() + " (builder@example) (gcc 12) #1 SMP example\n\0";
    }

    public String vmcoreInfo() {
        long base = physical - (LINKED + offset - WINDOW);
        return "OSRELEASE=" + release() + "\nBUILD-ID=" + "0123456789abcdef".repeat(2) + "01234567\nPAGESIZE=4096\n"
                + "SYMBOL(init_uts_ns)=" + Long.toHexString(LINKED + offset + 0x10_0000) + "\nSYMBOL(_stext)="
                + Long.toHexString(LINKED + offset) + "\nSYMBOL(swapper_pg_dir)="
                + Long.toHexString(LINKED + offset + LARGE)
                + "\nNUMBER(phys_base)=" + base + "\nKERNELOFFSET=" + Long.toHexString(offset)
                + "\nNUMBER(pgtable_l5_enabled)=" + (five ? 1 : 0) + "\nNUMBER(sme_mask)=" + mask + "\n";
    }

    /** Puts VMCOREINFO at the start of a page as the kernel keeps it: a ready note. Its text is 24 bytes behind. */
    public MadeUpKernel withNoteAt(int address) {
        String text = vmcoreInfo();
        memory.putInt(address, 11).putInt(address + 4, text.length()).putInt(address + 8, 0);
        put(address + 12, "VMCOREINFO\0\0" + text);
        return this;
    }

    /** Puts the kernel's symbols 0x110000 bytes behind the start of the image, in the form of Linux 6.1. */
    public MadeUpKernel withSymbols() {
        return withSymbols(new MadeUpKallsyms.Layout(
                MadeUpKallsyms.Form.ABSOLUTE_PERCPU, MadeUpKallsyms.Order.ADDRESSES_FIRST, 8, 4, true));
    }

    /** The same for code only, as kernels have them that are built without {@code KALLSYMS_ALL}. */
    public MadeUpKernel withSymbolsOfCode() {
        MadeUpKallsyms.Layout layout = new MadeUpKallsyms.Layout(
                MadeUpKallsyms.Form.BASE_RELATIVE, MadeUpKallsyms.Order.ADDRESSES_LAST, 8, 4, true);
        List<MadeUpKallsyms.Entry> code = symbols(LINKED + offset, layout).stream()
                .filter(symbol -> Character.toLowerCase(symbol.type()) == 't')
                .toList();
        memory.put(physical + SYMBOLS, new MadeUpKallsyms(layout, code, physical + SYMBOLS).bytes());
        return this;
    }

    /** Puts twenty exported symbols into the image, as {@code __ksymtab} has them: code, and init_task at 0x100000. */
    public MadeUpKernel withExports() {
        int names = physical + 0x18_0000;
        for (int i = 0; i < 20; i++) {
            String name = i == 7 ? "init_task" : "function_" + i;
            int value = i == 7 ? physical + 0x10_0000 : physical + 0x3010 + i * 0x40;
            int entry = physical + 0x17_0000 + i * 12;
            put(names, name + '\0');
            memory.putInt(entry, value - entry).putInt(entry + 4, names - entry - 4).putInt(entry + 8, 0);
            names += name.length() + 1;
        }
        return this;
    }

    /** The same in any form; relative to their place, they have physical addresses. */
    public MadeUpKernel withSymbols(MadeUpKallsyms.Layout layout) {
        long start = layout.form() == MadeUpKallsyms.Form.PLACE_RELATIVE ? physical : LINKED + offset;
        memory.put(
                physical + SYMBOLS,
                new MadeUpKallsyms(layout, symbols(start, layout), physical + SYMBOLS).bytes());
        memory.putLong(physical + LARGE + 0x8_0000, mask);
        return this;
    }

    /** Functions, what lies where the class says, and if there is room for that in the form, two per-CPU variables in front. */
    public static List<MadeUpKallsyms.Entry> symbols(long start, MadeUpKallsyms.Layout layout) {
        List<MadeUpKallsyms.Entry> symbols = new ArrayList<>();
        if (layout.form() == MadeUpKallsyms.Form.ABSOLUTE_PERCPU) {
            symbols.add(new MadeUpKallsyms.Entry("__per_cpu_start", 'A', 0));
            symbols.add(new MadeUpKallsyms.Entry("pcpu_hot", 'A', 0x40));
        }
        symbols.add(new MadeUpKallsyms.Entry("_text", 'T', start));
        symbols.add(new MadeUpKallsyms.Entry("_stext", 'T', start));
        symbols.add(new MadeUpKallsyms.Entry("linux_banner", 'D', start + 0x1000));
        for (int i = 0; i < 900; i++) {
            long function = start + 0x3000 + i * 0x40L;
            symbols.add(new MadeUpKallsyms.Entry("__pfx_function_" + i, 't', function));
            symbols.add(new MadeUpKallsyms.Entry("function_" + i, i % 2 == 0 ? 'T' : 't', function + 0x10));
        }
        symbols.add(new MadeUpKallsyms.Entry("init_uts_ns", 'D', start + 0x10_0000));
        symbols.add(new MadeUpKallsyms.Entry("init_top_pgt", 'D', start + LARGE));
        symbols.add(new MadeUpKallsyms.Entry("sme_me_mask", 'D', start + LARGE + 0x8_0000));
        symbols.add(new MadeUpKallsyms.Entry("_end", 'B', start + 2L * LARGE));
        symbols.add(new MadeUpKallsyms.Entry("__init_scratch_end", 'B', start + 3L * LARGE));
        return symbols;
    }

    /** Registers of a vCPU that uses these page tables. */
    public RegisterState registers() {
        return RegisterState.builder()
                .set(X86.CR0, 0x8005_0033L)
                .set(X86.CR3, root() | mask)
                .set(X86.CR4, five ? 0x10_16f0L : 0x6f0)
                .set(X86.EFER, 0xd01)
                .set(X86.RIP, LINKED + offset + 0x40)
                .set(X86.CS, 0x10)
                .build();
    }

    /** What the kernel's own crash dump knows of a vCPU: no control register. */
    public RegisterState generalRegisters() {
        return RegisterState.builder()
                .set(X86.RIP, LINKED + offset + 0x40)
                .set(X86.RSP, LINKED + offset + 0x3000)
                .set(X86.CS, 0x10)
                .build();
    }

    /** A guest of this memory, to which vCPUs and facts can be added. */
    public GuestBuilder guest() {
        return Guest.builder().ram(0, MemorySegment.ofArray(memory.array()));
    }

    /** The bytes of memory. */
    public byte[] bytes() {
        return memory.array();
    }

    public void put(int at, String text) {
        memory.put(at, text.getBytes(StandardCharsets.ISO_8859_1));
    }

    private void map(long virtual, int to, int pages) {
        for (int i = 0; i < pages; i++) {
            long address = virtual + (long) i * LARGE;
            int table = root();
            for (int shift = five ? 48 : 39; shift > 21; shift -= 9) {
                int at = table + (int) (address >>> shift & 511) * 8;
                if (memory.getLong(at) == 0) {
                    memory.putLong(at, nextTable | 0x63 | mask);
                    nextTable += 0x1000;
                }
                table = (int) (memory.getLong(at) & ~mask & ~0xfffL);
            }
            memory.putLong(table + (int) (address >>> 21 & 511) * 8, to + (long) i * LARGE | 0xe3 | mask);
        }
    }
}

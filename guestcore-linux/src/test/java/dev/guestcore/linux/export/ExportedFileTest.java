package dev.guestcore.linux.export;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.file.CoreSink;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.stacks.MadeKernel;
import dev.guestcore.linux.stacks.MadeSymbols;
import dev.guestcore.linux.stacks.OrcVersion;
import dev.guestcore.linux.stacks.StackUnwinder;
import dev.guestcore.linux.types.Btf;
import dev.guestcore.linux.types.BtfBuilder;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/** The parts of the exported file, from made-up symbols, types and rules. */
class ExportedFileTest {

    private static final long SLIDE = 0x1000000;
    private static final long LINKED = 0xffffffff81000000L;
    private static final long TEXT = LINKED + SLIDE;

    /** What is written, in the heap. */
    private static final class Memory implements CoreSink {

        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

        @Override
        public long position() {
            return bytes.size();
        }

        @Override
        public void write(MemorySegment more) {
            bytes.writeBytes(more.toArray(ValueLayout.JAVA_BYTE));
        }

        @Override
        public void writeZeros(long count) {
            bytes.writeBytes(new byte[Math.toIntExact(count)]);
        }

        ByteBuffer buffer() {
            return ByteBuffer.wrap(bytes.toByteArray()).order(ByteOrder.LITTLE_ENDIAN);
        }
    }

    private static MadeSymbols symbols() {
        return new MadeSymbols()
                .data(0, "__per_cpu_start")
                .data(0x2000, "__per_cpu_end")
                .code(TEXT, "_text")
                .code(TEXT + 0x100, "schedule")
                .code(TEXT + 0x1f0, "last")
                .code(TEXT + 0x200, "_etext")
                .data(TEXT + 0x1000, "__start_rodata")
                .data(TEXT + 0x1010, "linux_banner")
                .data(TEXT + 0x2000, "_sdata")
                .data(TEXT + 0x2040, "init_task")
                .data(TEXT + 0x3000, "__bss_start")
                .data(TEXT + 0x4000, "_end")
                .moduleCode(0xffffffffc0000000L, "of_a_module", "module");
    }

    @Test
    void sectionsFollowTheSymbols() {
        ImageLayout layout = ImageLayout.of(symbols(), SLIDE);
        List<String> sections = new ArrayList<>();
        layout.sections()
                .forEach(each -> sections.add("%s %x %x".formatted(each.name(), each.address(), each.size())));
        assertEquals(
                List.of(
                        ".data..percpu 0 2000",
                        ".text ffffffff81000000 200",
                        ".rodata ffffffff81001000 1000",
                        ".data ffffffff81002000 1000",
                        ".bss ffffffff81003000 1000"),
                sections);
        assertEquals(1, layout.sectionOf(TEXT + 0x200), "a symbol at an end belongs to the section below");
        assertEquals(0, layout.sectionOf(0x2000));
        assertEquals(4, layout.sectionOf(TEXT + 0x4000));
        assertEquals(-1, layout.sectionOf(0x12345678));
    }

    @Test
    void aKernelWithoutItsEndIsRefused() {
        LinuxException refused = assertThrows(
                LinuxException.class, () -> ImageLayout.of(new MadeSymbols().code(TEXT, "_text"), SLIDE));
        assertEquals(
                "the kernel's symbols have no _end, so it is not known where the kernel begins or ends; such a kernel"
                        + " cannot be exported",
                refused.getMessage());
    }

    @Test
    void symbolsAreLocalFirstAtLinkAddressesWithSizes() {
        MadeSymbols all = symbols();
        all.moduleCode(0xffffffffc0000100L, "more_of_it", "module");
        SymbolTable table = new SymbolTable(all, ImageLayout.of(all, SLIDE));
        Memory symbols = new Memory();
        table.writeSymbols(symbols);
        Memory names = new Memory();
        table.writeNames(names);

        ByteBuffer bytes = symbols.buffer();
        assertEquals(12, table.count(), "none of the module");
        assertEquals(1 + 5 + 12, bytes.capacity() / SymbolTable.ENTRY, "null, sections, symbols");
        assertEquals(6, table.locals());
        int schedule = -1;
        for (int i = 0; i < bytes.capacity(); i += SymbolTable.ENTRY) {
            if (name(names.buffer(), bytes.getInt(i)).equals("schedule")) {
                schedule = i;
            }
        }
        assertEquals(0x12, bytes.get(schedule + 4), "global, function");
        assertEquals(2, bytes.getShort(schedule + 6), ".text");
        assertEquals(LINKED + 0x100, bytes.getLong(schedule + 8));
        assertEquals(0xf0, bytes.getLong(schedule + 16));
    }

    private static String name(ByteBuffer names, int offset) {
        int end = offset;
        while (names.get(end) != 0) {
            end++;
        }
        return new String(names.array(), offset, end - offset, StandardCharsets.UTF_8);
    }

    @Test
    void rulesBecomeRows() {
        MadeKernel kernel = new MadeKernel(OrcVersion.V3);
        long plain = kernel.function("plain", MadeKernel.Reg.SP, 40, MadeKernel.Reg.PREV_SP, -16, MadeKernel.Type.CALL);
        kernel.function("entry", MadeKernel.Reg.SP, 8, MadeKernel.Reg.UNDEFINED, 0, MadeKernel.Type.REGS);
        kernel.outermost("ret_from_fork");
        Memory frames = new Memory();
        StackUnwinder unwinder = kernel.unwinder();
        new FrameTable(kernel.symbols(), ImageLayout.of(kernel.symbols(), 0), unwinder.kernelTable().orElseThrow())
                .write(frames);

        String hex = HexFormat.of().formatHex(frames.bytes.toByteArray());
        // Length, place of the CIE, start, size; CFA is rsp+40, the return address at CFA-8, rbp at CFA-16.
        assertTrue(hex.contains("1c00000000000000" + little(plain) + little(0x100) + "0c0728900186" + "0200"), hex);
        // CFA is what rsp+8+152 holds, the return address at rsp+8+128, r15 at rsp+8.
        assertTrue(hex.contains("0f0477a00106" + "10100377" + "8801" + "100f027708"), hex);
        assertTrue(hex.contains("0710" + "00"), "the last return address is undefined");
    }

    private static String little(long value) {
        return HexFormat.of()
                .formatHex(ByteBuffer.allocate(8)
                        .order(ByteOrder.LITTLE_ENDIAN)
                        .putLong(value)
                        .array());
    }

    @Test
    void typesBecomeEntriesOfTheSizeThatIsStated() {
        BtfBuilder builder = BtfBuilder.kernel();
        int number = builder.integer("int", 4, 1);
        int list = builder.next();
        BtfBuilder.Member first = BtfBuilder.Member.at(0, "next", list + 1);
        builder.struct("list_head", 16, first, BtfBuilder.Member.at(8, "prev", list + 1));
        builder.pointer(list);
        int task = builder.struct(
                "task_struct", 24, BtfBuilder.Member.at(0, "pid", number), BtfBuilder.Member.at(8, "tasks", list));
        builder.qualified(10, task);
        builder.function("schedule", builder.prototype(0, "task", builder.pointer(task)));
        Btf types = builder.read();
        MadeSymbols symbols = symbols();
        ImageLayout layout = ImageLayout.of(symbols, SLIDE);
        DebugInfo info = new DebugInfo(types, symbols, new SymbolTable(symbols, layout), layout, OptionalLong.of(250));
        Memory written = new Memory();
        info.writeInfo(written);

        ByteBuffer bytes = written.buffer();
        assertEquals(bytes.capacity() - 4, bytes.getInt(0));
        assertEquals(4, bytes.getShort(4));
        assertEquals(0, bytes.get(bytes.capacity() - 1), "the end of the unit's children");
        String text = new String(bytes.array(), StandardCharsets.ISO_8859_1);
        assertTrue(text.contains("init_task\0"), "a variable");
        assertTrue(text.contains("write_expire\0"), "a constant");
        String hex = HexFormat.of().formatHex(bytes.array());
        assertTrue(hex.contains("0903" + little(LINKED + 0x2040)), "where the variable lies");
        assertTrue(hex.contains(little(LINKED + 0x100) + little(0xf0)), "where the function lies");
        assertTrue(hex.contains("77726974655f65787069726500" + "46000000" + "e209"), hex);
    }
}

package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Progress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.CancelledException;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.symbols.SymbolOffset;
import dev.guestcore.testing.MadeUpKallsyms.Form;
import dev.guestcore.testing.MadeUpKallsyms.Layout;
import dev.guestcore.testing.MadeUpKallsyms.Order;
import dev.guestcore.testing.MadeUpKernel;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class LinuxTest {

    private static final long LINKED = 0xffff_ffff_8100_0000L;
    private static final long SLIDE = 0x1c0_0000;
    private static final int PHYSICAL = 0x60_0000;

    private static void isFound(Linux linux, PagingMode mode) {
        KernelImage image = linux.image();
        assertEquals(LINKED + SLIDE, image.virtualBase());
        assertEquals(PHYSICAL, image.physicalBase());
        assertEquals(4 << 20, image.size());
        assertEquals(SLIDE, image.slide());
        assertEquals(mode, image.space().paging().mode());
        assertEquals(Optional.of("6.1.0-9-example"), image.release());
        assertTrue(image.banner().orElseThrow().startsWith("Linux version 6.1.0-9-example (builder@example)"));
        assertEquals(LINKED + SLIDE + 0x10_0000, address(linux, "init_uts_ns"));
        assertEquals(MadeUpKernel.TEXT, linux.memory().readString(LINKED + SLIDE + 0x2000, 64));
    }

    private static long address(Linux linux, String name) {
        return linux.symbols().find(name).orElseThrow().address();
    }

    @Test
    void aKernelIsFoundInMemoryAlone() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        for (Architecture said : List.of(Architectures.X86, Architecture.UNKNOWN)) {
            try (Guest guest = kernel.guest().architecture(said).build()) {
                isFound(Linux.of(guest), X86PagingMode.FOUR_LEVEL);
            }
        }
    }

    @Test
    void aKernelIsFoundWhereRegistersLead() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        try (Guest guest = kernel.guest().vcpu(kernel.registers()).build()) {
            isFound(Linux.of(guest), X86PagingMode.FOUR_LEVEL);
        }
    }

    @Test
    void aKernelWithFiveLevelsAndEncryptedPagesIsFound() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL, 1L << 47, true).withSymbols();
        try (Guest guest = kernel.guest().build()) {
            isFound(Linux.of(guest), X86PagingMode.FIVE_LEVEL);
        }
    }

    @Test
    void aKernelWhoseSymbolsArePhysicalIsFoundByItsPageTables() {
        Layout layout = new Layout(Form.PLACE_RELATIVE, Order.ADDRESSES_LAST, Integer.BYTES, Integer.BYTES, true);
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols(layout);
        try (Guest guest = kernel.guest().build()) {
            isFound(Linux.of(guest), X86PagingMode.FOUR_LEVEL);
        }
    }

    @Test
    void aKernelThatNamesCodeOnlyIsFoundByPageTablesAndExports() {
        for (boolean five : new boolean[] {false, true}) {
            MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL, 0, five).withSymbolsOfCode().withExports();
            for (boolean withRegisters : new boolean[] {false, true}) {
                GuestBuilder builder = withRegisters ? kernel.guest().vcpu(kernel.registers()) : kernel.guest();
                try (Guest guest = builder.build()) {
                    Linux linux = Linux.of(guest);
                    assertEquals(LINKED + SLIDE, linux.image().virtualBase());
                    assertEquals(PHYSICAL, linux.image().physicalBase());
                    assertEquals(4 << 20, linux.image().size());
                    assertEquals(Optional.of("6.1.0-9-example"), linux.image().release());
                    assertEquals(LINKED + SLIDE + 0x10_0000, address(linux, "init_task"));
                    assertEquals(LINKED + SLIDE + 0x3010, address(linux, "function_0"));
                    assertEquals(1, linux.symbols().findAll("function_0").size());
                    assertEquals(Optional.empty(), linux.symbols().find("init_uts_ns"));
                }
            }
        }
    }

    @Test
    void theKernelThatRunsIsTakenOfTwo() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        MadeUpKernel old = kernel.beside(0x20_0000, 0x20_0000).withSymbols();
        Arrays.fill(kernel.bytes(), old.root(), old.root() + 0x1000, (byte) 0);
        try (Guest guest = kernel.guest().build()) {
            isFound(Linux.of(guest), X86PagingMode.FOUR_LEVEL);
        }
    }

    @Test
    void registersTellWhichOfTwoKernelsRuns() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        kernel.beside(0x20_0000, 0x20_0000).withSymbols();
        try (Guest guest = kernel.guest().vcpu(kernel.registers()).build()) {
            isFound(Linux.of(guest), X86PagingMode.FOUR_LEVEL);
        }
    }

    @Test
    void pageTablesOfAVcpuDoWhereTheKernelsOwnAreGone() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        byte[] memory = kernel.bytes();
        int copy = 0x40_0000;
        System.arraycopy(memory, kernel.root(), memory, copy, 0x1000);
        Arrays.fill(memory, kernel.root(), kernel.root() + 0x1000, (byte) 0);
        RegisterState registers = kernel.registers().toBuilder().set(X86.CR3, copy).build();
        try (Guest guest = kernel.guest().vcpu(registers).build()) {
            isFound(Linux.of(guest), X86PagingMode.FOUR_LEVEL);
        }
    }

    @Test
    void anAddressIsNamedByTheFunctionThatItLiesIn() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        try (Guest guest = kernel.guest().build()) {
            Linux linux = Linux.of(guest);
            long function = address(linux, "function_7");
            assertEquals("function_7+0x1f", linux.symbols().at(function + 0x1f).orElseThrow().toString());
            assertEquals("function_7", linux.symbols().at(function).orElseThrow().toString());
            Optional<SymbolOffset> padding = linux.symbols().at(function - 1);
            assertEquals("function_6+0x3f", padding.orElseThrow().toString());
            assertEquals("_text+0x8", linux.symbols().at(LINKED + SLIDE + 8).orElseThrow().toString());
            for (long outside : new long[] {0, 0x40, LINKED + SLIDE - 1, LINKED + SLIDE + (4 << 20), -1}) {
                assertEquals(Optional.empty(), linux.symbols().at(outside));
            }
        }
    }

    @Test
    void aNameIsFoundWithItsType() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        try (Guest guest = kernel.guest().build()) {
            Linux linux = Linux.of(guest);
            assertEquals(
                    List.of(new Symbol("pcpu_hot", 'A', 0x40, Optional.empty())), linux.symbols().findAll("pcpu_hot"));
            assertEquals('t', linux.symbols().find("function_1").orElseThrow().type());
            for (String missing : List.of("", "function_", "function_900", "Function_1", "функция")) {
                assertEquals(Optional.empty(), linux.symbols().find(missing));
            }
            assertEquals(linux.symbols().size(), linux.symbols().stream().count());
        }
    }

    @Test
    void whatIsNotKnownIsSaid() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        try (Guest guest = kernel.guest().build()) {
            Linux linux = Linux.of(guest);
            assertEquals(Optional.empty(), linux.types());
            assertTrue(message(linux::requireTypes).contains("no description of its types"));
            assertTrue(linux.symbolProblems().getFirst()
                    .startsWith("symbols of modules cannot be read: the kernel holds no"));
            assertEquals(Optional.empty(), linux.image().buildId());
        }
    }

    private static String message(Executable executable) {
        return String.valueOf(assertThrows(LinuxException.class, executable).getMessage());
    }

    private static String whyNot(GuestBuilder builder) {
        try (Guest guest = builder.build()) {
            assertEquals(Optional.empty(), Linux.find(guest));
            return message(() -> Linux.of(guest));
        }
    }

    @Test
    void noKernelIsALineThatSaysWhy() {
        String nothing = whyNot(Guest.builder().ram(0, MemorySegment.ofArray(new byte[1 << 20])));
        assertTrue(nothing.startsWith("builder: no Linux kernel found: memory holds no table of kernel symbols"),
                nothing);
        MadeUpKernel damaged = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        int names = PHYSICAL + 0x11_0000 + 8000;
        Arrays.fill(damaged.bytes(), names, names + 5 * 4096, (byte) 0);
        String symbols = whyNot(damaged.guest());
        assertTrue(
                symbols.startsWith(
                        "builder: no Linux kernel found: the table of its symbols (kallsyms) at guest-physical 0x"),
                symbols);
        assertTrue(symbols.contains(" is damaged, or parts of it are missing; "), symbols);
        MadeUpKernel unmapped = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        Arrays.fill(unmapped.bytes(), unmapped.root(), unmapped.root() + 0x1000, (byte) 0);
        String tables = whyNot(unmapped.guest());
        assertTrue(tables.contains("but no page tables of x86-64 or arm64 were found that map them"), tables);
        MadeUpKernel other = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        String foreign = whyNot(other.guest().architecture(Architectures.RISCV64));
        assertTrue(foreign.endsWith("cannot be read yet"), foreign);
    }

    /** Of a bad page in the tables only what lies there is lost, whichever page it is, and that is said. */
    @Test
    void aDamagedPageOfTheSymbolsCostsNoMore() {
        MadeUpKernel whole = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        Set<Symbol> truth;
        try (Guest guest = whole.guest().build()) {
            truth = Set.copyOf(Linux.of(guest).symbols().stream().toList());
        }
        int tables = PHYSICAL + 0x11_0000;
        for (int page : new int[] {2, 5, 8}) {
            MadeUpKernel damaged = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
            Arrays.fill(damaged.bytes(), tables + page * 4096, tables + (page + 1) * 4096, (byte) 0);
            try (Guest guest = damaged.guest().vcpu(whole.registers()).build()) {
                Linux linux = Linux.find(guest).orElseThrow(() -> new AssertionError("page " + page));
                List<Symbol> left = linux.symbols().stream().toList();
                assertTrue(truth.containsAll(left), "page " + page);
                assertTrue(left.size() > 600, () -> left.size() + " left");
                String lost = linux.problems().getFirst();
                assertTrue(lost.startsWith(truth.size() - left.size() + " of " + truth.size()
                        + " symbols of the kernel are lost: "), lost);
            }
        }
    }

    @Test
    void pageTablesThatLeadInCirclesAreNoKernels() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL).withSymbols();
        ByteBuffer memory = ByteBuffer.wrap(kernel.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 512; i++) {
            memory.putLong(kernel.root() + i * 8, kernel.root() | 0x63);
        }
        assertTrue(whyNot(kernel.guest()).contains("no page tables of x86-64"));
    }

    @Test
    void theSearchCanBeCancelled() {
        MadeUpKernel kernel = MadeUpKernel.at(SLIDE, PHYSICAL);
        try (Guest guest = kernel.guest().build()) {
            Progress cancelling = new Progress() {
                @Override
                public void begin(String phase, long totalBytes) {
                    assertFalse(phase.isEmpty());
                }

                @Override
                public void advance(long bytes) {
                    throw new CancelledException();
                }
            };
            assertThrows(CancelledException.class, () -> Linux.of(guest, cancelling));
        }
    }
}

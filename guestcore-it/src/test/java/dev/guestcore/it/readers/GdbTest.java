package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.MemoryRegion;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.it.readers.WrittenCore.Kind;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** gdb. */
@Opens({"vbox", "elf"})
class GdbTest {

    private static final Map<String, X86> REGISTERS = Map.ofEntries(
            Map.entry("rip", X86.RIP),
            Map.entry("rax", X86.RAX),
            Map.entry("rbx", X86.RBX),
            Map.entry("rcx", X86.RCX),
            Map.entry("rdx", X86.RDX),
            Map.entry("rsi", X86.RSI),
            Map.entry("rdi", X86.RDI),
            Map.entry("rbp", X86.RBP),
            Map.entry("rsp", X86.RSP),
            Map.entry("r8", X86.R8),
            Map.entry("r9", X86.R9),
            Map.entry("r10", X86.R10),
            Map.entry("r11", X86.R11),
            Map.entry("r12", X86.R12),
            Map.entry("r13", X86.R13),
            Map.entry("r14", X86.R14),
            Map.entry("r15", X86.R15),
            Map.entry("cs", X86.CS),
            Map.entry("ss", X86.SS),
            Map.entry("ds", X86.DS),
            Map.entry("es", X86.ES),
            Map.entry("fs", X86.FS),
            Map.entry("gs", X86.GS),
            Map.entry("fs_base", X86.FS_BASE),
            Map.entry("gs_base", X86.GS_BASE));

    private static final Pattern THREAD = Pattern.compile("Thread \\d+ \\((?:LWP|process) (\\d+)\\):");
    private static final Pattern REGISTER = Pattern.compile("([a-z0-9_]+) +0x([0-9a-f]+) .*");
    private static final Pattern SECTION = Pattern.compile(
            "(?m)^ \\[\\d+] +0x([0-9a-f]+)->0x([0-9a-f]+) at 0x[0-9a-f]+: load\\d+[a-z]? ALLOC LOAD ");

    static Stream<WrittenCore> withAnalystNotes() {
        return WrittenCore.of(Kind.VMCORE, Kind.ELF).filter(WrittenCore::analystNotes);
    }

    static Stream<WrittenCore> withoutAnalystNotes() {
        return WrittenCore.of(Kind.VMCORE).filter(core -> !core.analystNotes());
    }

    static Stream<WrittenCore> dumpCores() {
        return WrittenCore.oneOfEachGuest(Kind.HVM_DUMP);
    }

    private static String gdb(WrittenCore core, String... commands) {
        Object[] arguments = new Object[4 + 2 * commands.length];
        arguments[0] = "-nx";
        arguments[1] = "-batch";
        arguments[2] = "-ex";
        arguments[3] = "core-file " + core.file();
        for (int i = 0; i < commands.length; i++) {
            arguments[4 + 2 * i] = "-ex";
            arguments[5 + 2 * i] = commands[i];
        }
        return Program.run("gdb", arguments).all();
    }

    @ParameterizedTest
    @MethodSource("withAnalystNotes")
    void everyVcpuIsAThreadWithItsRegisters(WrittenCore core) {
        String output = gdb(
                core,
                "info threads",
                "thread apply all -ascending info registers " + String.join(" ", REGISTERS.keySet()));
        assertTrue(!output.toLowerCase(Locale.ROOT).contains("warning"), output);
        List<RegisterState> vcpus = core.truth().registers();
        assertEquals(
                vcpus.size(),
                output.lines().filter(line -> line.matches("[* ] \\d+ +(LWP|process) .*")).count(),
                output);
        Map<Integer, Map<String, String>> threads = threads(output);
        assertEquals(vcpus.size(), threads.size(), output);
        for (int i = 0; i < vcpus.size(); i++) {
            Map<String, String> shown = threads.get(i + 1);
            assertEquals(REGISTERS.keySet(), shown.keySet());
            for (Map.Entry<String, X86> register : REGISTERS.entrySet()) {
                if (vcpus.get(i).knows(register.getValue())) {
                    assertEquals(
                            vcpus.get(i).hex(register.getValue()),
                            shown.get(register.getKey()),
                            register.getKey() + " of vCPU " + i);
                }
            }
        }
    }

    /** Registers by the number of the process that gdb takes each vCPU for. */
    private static Map<Integer, Map<String, String>> threads(String output) {
        Map<Integer, Map<String, String>> threads = new TreeMap<>();
        Map<String, String> current = new TreeMap<>();
        for (String line : output.lines().toList()) {
            Matcher thread = THREAD.matcher(line);
            Matcher register = REGISTER.matcher(line);
            if (thread.matches()) {
                current = new TreeMap<>();
                threads.put(Integer.parseInt(thread.group(1)), current);
            } else if (register.matches()) {
                current.put(register.group(1), "0x" + register.group(2));
            }
        }
        return threads;
    }

    @ParameterizedTest
    @MethodSource("withoutAnalystNotes")
    void withoutAnalystNotesThereIsMemoryOnly(WrittenCore core) {
        String output = gdb(core, "maint info sections");
        assertTrue(output.contains("Couldn't find general-purpose registers in core file."), output);
        List<Long> sizes = core.truth().regions().stream()
                .filter(MemoryRegion::hasContent)
                .map(region -> region.range().size())
                .toList();
        List<Long> found = SECTION.matcher(output)
                .results()
                .map(section -> number(section.group(2)) - number(section.group(1)))
                .toList();
        assertEquals(sizes, found, output);
        assertTrue(SECTION.matcher(output).results().allMatch(section -> section.group(1).matches("0+")), output);
    }

    private static long number(String hexadecimal) {
        return Long.parseUnsignedLong(hexadecimal, 16);
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void dumpCoresAreNotRecognised(WrittenCore core) {
        String output = gdb(core);
        assertTrue(output.contains("is not a core dump: file format not recognized"), output);
    }
}

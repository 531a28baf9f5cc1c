package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What programs of others say about our files. */
@Tag("foreign")
class ForeignReadersTest {

    @TempDir
    private Path folder;

    private static String run(String... command) throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("LC_ALL", "C");
        Process process;
        try {
            process = builder.start();
        } catch (IOException e) {
            return ForeignTools.missing(command[0] + " is not installed; install it to compare with it");
        }
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), output);
        return output;
    }

    private Path write(Guest guest, VmCoreWriter writer) {
        Path file = folder.resolve("core");
        writer.write(guest, file, Progress.none());
        return file;
    }

    @ParameterizedTest
    @EnumSource
    void readelfAcceptsEveryLayout(VmCoreLayout layout) throws Exception {
        Path file = write(SmallCore.guest(), VmCoreWriter.layout(layout));
        String output = run("readelf", "-hlSn", "--wide", file.toString());
        boolean founding = layout == VmCoreLayout.R32341;
        assertTrue(output.contains("CORE (Core file)"), output);
        assertTrue(output.contains("There are no sections in this file."), output);
        assertTrue(output.matches("(?s).*LOAD +0x[0-9a-f]+ 0x0{16} 0x0000000000002000 0x000000 0x002000 R .*"), output);
        assertTrue(output.contains(founding ? "VBOXCORE" : "VBCORE"), output);
        assertEquals(3, output.split(founding ? "VBOXCPU" : "VBCPU", -1).length, output);
        assertTrue(output.contains(String.format("0x%08x", layout.payloadSize())), output);
        assertTrue(!output.toLowerCase(Locale.ROOT).contains("warning"), output);
        assertTrue(!output.contains("Error"), output);
    }

    @Test
    void readelfFindsTheNumberOfManyProgramHeaders() throws Exception {
        Guest guest = ManyRangesTest.zeroPages(70_000);
        Path file = write(guest, VmCoreWriter.newest().withLargePhnum());
        String output = run("readelf", "-hl", "--wide", file.toString());
        assertTrue(output.contains("65535 (70001)"), "number of program headers");
        assertEquals(70_000, output.lines().filter(line -> line.startsWith("  LOAD ")).count());
        assertTrue(!output.contains("Warning"), "no warning");
    }

    @Test
    void gdbShowsRegistersOfEachVcpuWithAnalystNotes() throws Exception {
        Path file = write(SmallCore.guest(), VmCoreWriter.newest().withAnalystNotes());
        String output = run(
                "gdb", "-nx", "-batch", "-ex", "core-file " + file, "-ex", "thread 1", "-ex", registers(), "-ex",
                "thread 2", "-ex", registers());
        for (int cpu = 0; cpu < 2; cpu++) {
            RegisterState expected = SmallCore.registers(100 * cpu);
            for (Map.Entry<String, X86> entry : SHOWN.entrySet()) {
                String line = entry.getKey() + "=" + expected.hex(entry.getValue()) + "\n";
                assertTrue(output.contains(line), () -> line + " not in " + output);
            }
        }
    }

    private static final Map<String, X86> SHOWN = Map.of(
            "rax", X86.RAX, "rbx", X86.RBX, "rsi", X86.RSI, "rbp", X86.RBP, "rsp", X86.RSP, "r8", X86.R8,
            "r15", X86.R15, "rip", X86.RIP, "cs", X86.CS, "gs", X86.GS);

    private static String registers() {
        List<String> names = List.copyOf(SHOWN.keySet());
        StringBuilder format = new StringBuilder("printf \"");
        StringBuilder values = new StringBuilder();
        for (String name : names) {
            format.append(name).append("=0x%lx\\n");
            values.append(", (unsigned long)$").append(name);
        }
        return format.append('"').append(values).toString();
    }
}

package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.open.Guests;
import dev.guestcore.serve.gdb.GdbServer;
import dev.guestcore.testing.Samples;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Debuggers on dumps of other processors, against what QEMU's monitor showed of the same stop. */
@Tag("foreign")
@Tag("slow")
class DebuggedArchitecturesTest {

    @TempDir
    private Path folder;

    private static String serve(String sample, IntFunction<String> client) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            AddressSpaceChoice space = AddressSpaceChoice.of(
                    guest, guest.vcpus().stream().findFirst(), TranslationOptions.defaults(), Progress.none());
            GdbServer server = new GdbServer(guest, TranslationOptions.defaults(), Optional.of(space));
            assertEquals(Optional.empty(), server.restriction());
            return Debuggers.serve(server, client);
        }
    }

    /** What the monitor showed of a register, of one vCPU after the other. */
    private static String monitor(String sample, String register, int vcpu) {
        String name = sample.substring(sample.indexOf('/') + 1);
        Matcher matcher = Pattern.compile("\\b" + register + "[= ]+0*([0-9a-f]+)\\b")
                .matcher(Samples.text("arch", name + ".regs.txt"));
        for (int i = 0; i <= vcpu; i++) {
            assertTrue(matcher.find(), register);
        }
        return matcher.group(1);
    }

    @ParameterizedTest
    @CsvSource({
        "arch/arm64, little, pc, PC, sp, SP, x29, X29",
        "arch/riscv64, little, pc, pc, sp, x2/sp, s1, x9/s1",
        "arch/s390x, big, pswa, addr, r15, R15, r2, R02"
    })
    void gdbShowsRegistersMemoryAndTheInnermostFrame(
            String sample,
            String order,
            String pointer,
            String pointerOfMonitor,
            String stack,
            String stackOfMonitor,
            String other,
            String otherOfMonitor) {
        String shown = serve(sample, port -> Debuggers.gdbMultiarch(
                folder,
                order,
                ":" + port,
                "printf \"pointer %lx stack %lx other %lx\\n\", (long) $" + pointer + ", (long) $" + stack
                        + ", (long) $" + other,
                "thread 2",
                "printf \"second %lx\\n\", (long) $" + pointer,
                "thread 1",
                "x/2xg $" + stack,
                "backtrace 1"));
        String expected =
                "pointer " + monitor(sample, pointerOfMonitor, 0) + " stack " + monitor(sample, stackOfMonitor, 0)
                        + " other " + monitor(sample, otherOfMonitor, 0);
        assertTrue(shown.contains(expected), () -> "expected '" + expected + "' in:\n" + shown);
        assertTrue(shown.contains("second " + monitor(sample, pointerOfMonitor, 1)), shown);
        assertTrue(
                shown.contains("0x" + monitor(sample, stackOfMonitor, 0) + ":\t0x"), () -> "no stack in:\n" + shown);
        assertTrue(shown.matches("(?s).*#0  0x0*" + monitor(sample, pointerOfMonitor, 0) + " in .*"), shown);
    }

    @Test
    void gdbReadsTheTextOfTheKernel() {
        String arm64 = serve("arch/arm64",
                port -> Debuggers.gdbMultiarch(folder, "little", ":" + port, "x/s 0xffffa9465cfc4250", "x/i $pc"));
        assertTrue(arm64.contains("\"Linux version 6.12.117"), arm64);
        assertTrue(arm64.contains("ret"), arm64);
        String riscv64 = serve("arch/riscv64",
                port -> Debuggers.gdbMultiarch(folder, "little", ":" + port, "x/s 0xffffffff81149320"));
        assertTrue(riscv64.contains("\"Linux version 6.12.117"), riscv64);
    }

    @Test
    void lldbFollowsFramePointersOfArm64() {
        String shown = serve("arch/arm64", port -> Debuggers.lldb(
                folder, "127.0.0.1:" + port, "register read pc sp", "memory read -c 16 0xffffa9465cfc4250", "bt"));
        assertTrue(shown.contains("pc = 0x" + monitor("arch/arm64", "PC", 0)), shown);
        assertTrue(shown.contains("sp = 0x" + monitor("arch/arm64", "SP", 0)), shown);
        assertTrue(shown.contains("Linux version 6."), shown);
        assertTrue(shown.contains("frame #2: 0xffffa9465c"), shown);
    }
}

package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.kernel.KernelFacts;
import dev.guestcore.open.Guests;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What gdb sees of a frozen Linux guest through our server, beside what it sees through QEMU's own. */
@Timeout(300)
class QemuDebuggerTest {

    /** QEMU's monitor, where the frozen guest comes from, does not tell cr8. */
    private static final List<String> REGISTERS = List.of(
            "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
            "r15", "rip", "cs", "ss", "ds", "es", "fs", "gs", "fs_base", "gs_base", "k_gs_base", "cr0", "cr2", "cr3",
            "cr4", "efer", "fctrl", "fstat");

    @TempDir
    Path folder;

    private static List<String> questions() {
        List<String> lines = new ArrayList<>();
        for (int thread = 1; thread <= 2; thread++) {
            lines.add("thread " + thread);
            for (String register : REGISTERS) {
                lines.add("printf \"" + register + " %lx\\n\", (unsigned long) $" + register);
            }
            lines.add("p/x $eflags");
            lines.add("p/x $mxcsr");
            for (int i = 0; i < 16; i++) {
                lines.add("p/x $xmm" + i + ".v2_int64");
            }
            lines.add("p/x $st0");
            lines.add("x/8i $pc");
            lines.add("x/200gx $rsp");
            lines.add("x/16gx $gs_base");
            lines.add("x/4gx 0x10");
        }
        return lines;
    }

    /** From the first answer on; what comes before is the greeting. */
    private static List<String> answers(String shown) {
        List<String> lines = shown.lines()
                .filter(line -> !line.startsWith("[Switching to thread") && !line.startsWith("#0 "))
                .toList();
        int first = 0;
        while (first < lines.size() && !lines.get(first).startsWith("rax ")) {
            first++;
        }
        return lines.subList(first, lines.size()).stream()
                .filter(line -> !line.startsWith("[Inferior 1"))
                .toList();
    }

    @Test
    void gdbSeesWhatItSeesThroughQemu() {
        String[] lines = questions().toArray(String[]::new);
        try (QemuGuest qemu = QemuGuest.linux("GUESTCORE-NEEDLE-" + UUID.randomUUID())) {
            // Stays stopped until QEMU's own server lets it run, when gdb leaves that.
            qemu.qmp("stop", Map.of());
            List<String> ours;
            try (Guest guest = Guests.open(qemu.location())) {
                ours = answers(Debuggers.serve(guest, port -> Debuggers.gdb(folder, ":" + port, lines)));
            }
            String socket = qemu.folder().resolve("gdb").toString();
            qemu.monitor("gdbserver unix:" + socket + ",server=on,wait=off");
            List<String> theirs = answers(Debuggers.gdb(folder, socket, lines));
            assertTrue(theirs.size() > 2 * REGISTERS.size() + 100, () -> String.join("\n", theirs));
            for (int i = 0; i < theirs.size(); i++) {
                assertEquals(theirs.get(i), ours.get(i));
            }
            assertEquals(theirs.size(), ours.size());
        }
    }

    /** A text as gdb takes it without a program in which to put it. */
    private static String characters(String text) {
        return text.chars().mapToObj(symbol -> "'" + (char) symbol + "'").collect(Collectors.joining(", "));
    }

    @Test
    void gdbFindsTheBannerOfLinux() {
        try (QemuGuest qemu = QemuGuest.linux("GUESTCORE-NEEDLE-" + UUID.randomUUID());
                Guest guest = Guests.open(qemu.location())) {
            String find = "find /b1 0xffffffff80000000, 0xffffffffbfffffff, " + characters("Linux version ");
            String found = Debuggers.serve(guest, port -> Debuggers.gdb(folder, ":" + port, find));
            Matcher matcher = Pattern.compile("^(0xffffffff[0-9a-f]{8})$", Pattern.MULTILINE).matcher(found);
            assertTrue(matcher.find(), found);
            String shown = Debuggers.serve(guest, port -> Debuggers.gdb(
                    folder,
                    ":" + port,
                    "x/s " + matcher.group(1),
                    "info threads",
                    "monitor info",
                    "monitor translate " + matcher.group(1),
                    "thread apply all backtrace 30"));
            assertTrue(shown.contains(matcher.group(1) + ":\t\"Linux version "), shown);
            assertTrue(shown.contains("Thread 1.1 (vCPU 0: 64-bit ring"), shown);
            assertTrue(shown.contains("Thread 1.2 (vCPU 1: 64-bit ring"), shown);
            assertTrue(shown.contains("kernel      Linux "), shown);
            assertTrue(shown.contains("PML4E[511] at guest-physical"), shown);
            assertFalse(shown.contains("internal-error"), shown);
        }
    }

    /** One vCPU idles or runs a thread of the kernel; the other may be in the only process, which has no symbols. */
    @Test
    void gdbUnwindsTheKernelsStackWithItsSymbols() {
        Path vmlinux = Tools.requireKernelWithDebugInformation();
        try (QemuGuest qemu = QemuGuest.linux("GUESTCORE-NEEDLE-" + UUID.randomUUID());
                Guest guest = Guests.open(qemu.location())) {
            long offset = KernelFacts.glance(guest).kaslrOffset().orElseThrow().value();
            String shown = Debuggers.serve(guest, port -> Debuggers.gdb(
                    folder,
                    ":" + port,
                    "add-symbol-file " + vmlinux + " -o 0x" + Long.toHexString(offset) + " -s .data..percpu 0",
                    "x/s linux_banner",
                    "print init_task.comm",
                    "info threads",
                    "thread apply all backtrace"));
            assertTrue(shown.contains("<linux_banner>:\t\"Linux version "), shown);
            assertTrue(shown.contains("$1 = \"swapper/0\\000"), shown);
            assertTrue(shown.contains(" at kernel/"), shown);
            assertTrue(
                    shown.contains(" in ret_from_fork () at ") || shown.contains(" in secondary_startup_64 () at "),
                    shown);
        }
    }
}

package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.open.Guests;
import dev.guestcore.serve.gdb.GdbServer;
import dev.guestcore.testing.DebuggedGuest;
import dev.guestcore.testing.MadeUpKernel;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** gdb and lldb look at guests through our server. */
@Timeout(180)
class DebuggerTest {

    @TempDir
    Path folder;

    private String gdb(Guest guest, String... lines) {
        return Debuggers.serve(guest, port -> Debuggers.gdb(folder, ":" + port, lines));
    }

    private String lldb(Guest guest, String... lines) {
        return Debuggers.serve(guest, port -> Debuggers.lldb(folder, "127.0.0.1:" + port, lines));
    }

    private static void contains(String text, String... parts) {
        for (String part : parts) {
            assertTrue(text.contains(part), () -> "expected '" + part + "' in:\n" + text);
        }
    }

    private static String hex(long value) {
        return "0x" + Long.toHexString(value);
    }

    @Test
    void gdbShowsThreadsRegistersAndMemory() {
        try (Guest guest = DebuggedGuest.create()) {
            String shown = gdb(
                    guest,
                    "info threads",
                    "info registers rip cr3 cr8 efer eflags k_gs_base fs_base",
                    "x/s " + hex(DebuggedGuest.TEXT),
                    "thread 2",
                    "info registers rip cr3",
                    "x/s " + hex(DebuggedGuest.TEXT),
                    "x/2gx $rsp",
                    "x/3i $pc",
                    "p $ymm1.v32_int8[31]",
                    "info float",
                    "x/x " + hex(DebuggedGuest.NOT_MAPPED),
                    "backtrace 20",
                    "detach");
            contains(
                    shown,
                    "* 1    Thread 1.1 (vCPU 0: 64-bit ring 0, rip 0xffffffff81000000) 0xffffffff81000000 in ?? ()",
                    "  2    Thread 1.2 (vCPU 1: 64-bit ring 0, rip 0xffffffff81000002) 0xffffffff81000002 in ?? ()",
                    "rip            0xffffffff81000000  0xffffffff81000000",
                    "cr3            0x1000 ",
                    "cr8            <unavailable>",
                    "efer           0xd01               [ SCE LME LMA NXE ]",
                    "eflags         0x246               [ PF ZF IF ]",
                    "k_gs_base      0x1234 ",
                    "fs_base        0x7f0012345000 ",
                    ":\t\"" + DebuggedGuest.TEXT_0 + "\"",
                    "rip            0xffffffff81000002  0xffffffff81000002",
                    "cr3            0x5000 ",
                    ":\t\"" + DebuggedGuest.TEXT_1 + "\"",
                    hex(DebuggedGuest.STACK) + ":\t" + hex(3 * DebuggedGuest.STACK) + "\t"
                            + hex(3 * (DebuggedGuest.STACK + 8)),
                    "=> 0xffffffff81000002:\tnop\n   0xffffffff81000003:\tret\n   0xffffffff81000004:\tnop\n",
                    "= 47\n",
                    "R6: Valid   0x3fff8000000000000000 +1",
                    "R7: Zero    0x00000000000000000000 +0",
                    "R0: Empty",
                    "Cannot access memory at address " + hex(DebuggedGuest.NOT_MAPPED),
                    "#0  0xffffffff81000002 in ?? ()",
                    "[Inferior 1 (process 1) detached]");
        }
    }

    @Test
    void gdbSearchesAndAsksTheMonitor() {
        try (Guest guest = DebuggedGuest.create()) {
            String find = "find /b " + hex(DebuggedGuest.BASE) + ", " + hex(DebuggedGuest.NOT_MAPPED - 1) + ", ";
            String shown = gdb(
                    guest,
                    find + "'v', 'C', 'P', 'U'",
                    find + "0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a",
                    find + "'n', 'o', 'n', 'e'",
                    "monitor translate " + hex(DebuggedGuest.TEXT),
                    "monitor phys on",
                    "x/s 0xb000",
                    "monitor phys off",
                    "x/s 0xb000",
                    "monitor search Guestcore",
                    "monitor dance");
            contains(
                    shown,
                    hex(DebuggedGuest.TEXT + DebuggedGuest.TEXT_0.indexOf("vCPU")) + "\n1 pattern found.",
                    hex(DebuggedGuest.BYTES + 0x23) + "\n1 pattern found.",
                    "Pattern not found.",
                    "PTE[1] at guest-physical 0x4008 = 0xa003: page at guest-physical 0xa000",
                    "= guest-physical 0xa000, rwx--",
                    "0xb000:\t\"" + DebuggedGuest.TEXT_1 + "\"",
                    "0xb000:\t<error: Cannot access memory at address 0xb000>",
                    "1 hit, virtual addresses",
                    "no command 'dance'");
        }
    }

    @Test
    void gdbIsToldThatNothingCanBeChanged() {
        try (Guest guest = DebuggedGuest.create()) {
            String shown = gdb(
                    guest,
                    "set var *(char *) " + hex(DebuggedGuest.TEXT) + " = 'X'",
                    "set var $rax = 1",
                    "continue",
                    "stepi",
                    "x/s " + hex(DebuggedGuest.TEXT),
                    "info registers rip",
                    "kill");
            contains(
                    shown,
                    "Cannot access memory at address " + hex(DebuggedGuest.TEXT),
                    "Could not write register \"rax\"; remote failure reply 'E.this is a frozen machine,",
                    "guestcore: this is a frozen machine, served read-only: it cannot run or step",
                    "received signal SIGINT",
                    "\"" + DebuggedGuest.TEXT_0 + "\"",
                    "rip            0xffffffff81000000",
                    "killed");
        }
    }

    /** An image of memory has a kernel in it, but gdb goes away from what has no instruction pointer. */
    @Test
    void gdbReadsVirtualMemoryOfASourceWithoutRegisters() {
        MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);
        try (Guest guest = kernel.guest().build()) {
            AddressSpaceChoice space =
                    AddressSpaceChoice.of(guest, Optional.empty(), TranslationOptions.defaults(), Progress.none());
            GdbServer server = new GdbServer(guest, TranslationOptions.defaults(), Optional.of(space));
            String shown = Debuggers.serve(server, port -> Debuggers.gdb(
                    folder, ":" + port, "x/s " + hex(kernel.textAddress()), "info threads", "print $rax"));
            contains(
                    shown,
                    "\"" + MadeUpKernel.TEXT + "\"",
                    "(the source has no registers, rip 0 is not the guest's)",
                    "<unavailable>");
        }
    }

    @Test
    void gdbReadsMuchMemoryAtOnce() throws IOException {
        try (Guest guest = DebuggedGuest.create()) {
            Path dumped = folder.resolve("memory");
            String start = hex(DebuggedGuest.BASE);
            gdb(guest, "dump binary memory " + dumped + " " + start + " " + hex(DebuggedGuest.NOT_MAPPED));
            byte[] bytes = Files.readAllBytes(dumped);
            assertEquals(0x7000, bytes.length);
            assertEquals((byte) 0x90, bytes[0]);
            String text = new String(bytes, 0x1000, DebuggedGuest.TEXT_0.length(), StandardCharsets.US_ASCII);
            assertEquals(DebuggedGuest.TEXT_0, text);
            for (int i = 0; i < 256; i++) {
                assertEquals((byte) i, bytes[0x4000 + i]);
            }
        }
    }

    @Test
    void gdbReadsACoreOfVirtualBox() {
        long pattern = 0xa5a5_c3c3_5a5a_3c3cL;
        try (Guest guest = Guests.open(Samples.core("vbox/real/p2-bios-72m-2cpu-high").toString())) {
            String shown = gdb(
                    guest,
                    "info threads",
                    "thread 2",
                    "p/x $r15",
                    "p/x $rax",
                    "x/2gx 0x200000",
                    "x/gx 0x100000008",
                    "p $xmm1.v16_int8[15]",
                    "info registers cr3");
            contains(
                    shown,
                    "(vCPU 1: 64-bit ring 0",
                    "$1 = 0x1\n",
                    "0x200000:\t" + hex(0x200000 ^ pattern) + "\t" + hex(0x200008 ^ pattern),
                    "0x100000008:\t" + hex(0x1_0000_0008L ^ pattern),
                    "$3 = 31\n",
                    "cr3            " + guest.vcpus().get(1).registers().hex(X86.CR3) + " ");
        }
    }

    @Test
    void gdbReadsAParavirtualizedGuestOfXen() {
        try (Guest guest = Guests.open(Samples.core("xen/pv64-1").toString())) {
            String shown = gdb(
                    guest,
                    "info threads",
                    "x/2i $pc",
                    "monitor search PROBE cpu=",
                    "x/s 0x700000000000",
                    "thread 2",
                    "x/s 0x700000000000");
            contains(shown, "Thread 1.1 (vCPU 0", "\"PROBE cpu=", "needle-in-guest-memory-8807d986");
            assertFalse(shown.contains("internal-error"), shown);
        }
    }

    /** A vCPU in 32-bit protected mode without paging. */
    private static Guest narrow() {
        byte[] memory = new byte[0x10000];
        byte[] text = "Guestcore shows 32 bits".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(text, 0, memory, 0x8000, text.length);
        memory[0x7c00] = (byte) 0x90;
        memory[0x7c01] = (byte) 0xb8;
        memory[0x7c02] = 0x78;
        memory[0x7c03] = 0x56;
        memory[0x7c04] = 0x34;
        memory[0x7c05] = 0x12;
        RegisterState.Builder registers = RegisterState.builder();
        for (int i = 0; i < 8; i++) {
            registers.set(X86.general(i), 0x1111_1110 * (i + 1L));
            byte[] xmm = new byte[16];
            Arrays.fill(xmm, (byte) (i + 1));
            registers.set(X86.xmm(i), xmm);
        }
        registers.set(X86.RSP, 0x9000).set(X86.RIP, 0x7c00).set(X86.RFLAGS, 2).set(X86.CS, 8);
        registers.set(X86.CS_ATTRIBUTES, 0xc09b).set(X86.CR0, 0x11).set(X86.CR3, 0x1000).set(X86.EFER, 0);
        registers.set(X86.FS_BASE, 0x1234).set(X86.MXCSR, 0x1f80);
        return Guest.builder()
                .ram(0, MemorySegment.ofArray(memory))
                .vcpu(registers.build())
                .build();
    }

    @Test
    void gdbShowsA32BitGuest() {
        try (Guest guest = narrow()) {
            String shown = gdb(
                    guest,
                    "info threads",
                    "info registers",
                    "p $xmm7.v16_int8[3]",
                    "x/s 0x8000",
                    "x/2i $pc",
                    "info registers fs_base cr0 efer",
                    "bt");
            contains(
                    shown,
                    "(vCPU 0: 32-bit protected ring 0, rip 0x7c00) 0x00007c00 in ?? ()",
                    "edi            0x88888880 ",
                    "eip            0x7c00              0x7c00\n",
                    "eflags         0x2                 [ ]",
                    "$1 = 8\n",
                    "0x8000:\t\"Guestcore shows 32 bits\"",
                    "0x7c01:\tmov    $0x12345678,%eax",
                    "fs_base        0x1234 ",
                    "cr0            0x11                [ PE ET ]",
                    "efer           0x0                 [ ]",
                    "#0  0x00007c00 in ?? ()");
            assertFalse(shown.contains("warning: while parsing"), shown);
        }
    }

    @Test
    void lldbShowsA32BitGuest() {
        try (Guest guest = narrow()) {
            contains(
                    lldb(
                            guest,
                            "register read eip edi cr0",
                            "memory read --format s 0x8000",
                            "disassemble -c 2 -s $pc",
                            "detach"),
                    "eip = 0x00007c00",
                    "edi = 0x88888880",
                    "cr0 = 0x0000000000000011",
                    "\"Guestcore shows 32 bits\"",
                    "movl   $0x12345678, %eax",
                    "Process 1 detached");
        }
    }

    @Test
    void gdbReadsA32BitParavirtualizedGuestOfXen() {
        try (Guest guest = Guests.open(Samples.core("xen/pv32-mini").toString())) {
            long rip = guest.vcpus().getFirst().registers().get(X86.RIP);
            String shown = gdb(guest, "info registers eip", "x/2i $pc", "monitor translate $rip");
            contains(shown, "eip            " + hex(rip), "= machine 0x");
            assertFalse(shown.contains("Cannot access memory"), shown);
        }
    }

    @Test
    void lldbShowsThreadsRegistersAndMemory() {
        try (Guest guest = DebuggedGuest.create()) {
            String shown = lldb(
                    guest,
                    "thread list",
                    "register read rip cr3 efer",
                    "thread select 2",
                    "register read rip cr3",
                    "memory read --format s " + hex(DebuggedGuest.TEXT),
                    "disassemble -c 2 -s $pc",
                    "memory region " + hex(DebuggedGuest.TEXT),
                    "register read --all",
                    "bt",
                    "process plugin packet monitor translate $rip",
                    "thread step-inst",
                    "register read rip",
                    "detach");
            contains(
                    shown,
                    "thread #1: tid = 0x0001, 0xffffffff81000000",
                    "thread #2: tid = 0x0002, 0xffffffff81000002",
                    "rip = 0xffffffff81000000",
                    "cr3 = 0x0000000000001000",
                    "efer = 0x0000000000000d01",
                    "rip = 0xffffffff81000002",
                    "cr3 = 0x0000000000005000",
                    "\"" + DebuggedGuest.TEXT_1 + "\"",
                    "0xffffffff81000003: retq",
                    "rwx",
                    "registers were unavailable",
                    "frame #0: 0xffffffff81000002",
                    "= guest-physical 0x9002,",
                    "guestcore: this is a frozen machine, served read-only: it cannot run or step",
                    "stop reason = signal SIGINT",
                    "Process 1 detached");
        }
    }

    @Test
    void lldbCannotWrite() {
        try (Guest guest = DebuggedGuest.create()) {
            contains(
                    lldb(guest, "memory write " + hex(DebuggedGuest.TEXT) + " 1"),
                    "Memory write to " + hex(DebuggedGuest.TEXT) + " failed");
            contains(lldb(guest, "register write rax 1"), "Failed to write register 'rax'");
        }
    }
}

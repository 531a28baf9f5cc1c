package dev.guestcore.format.elf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.Patterns;
import dev.guestcore.testing.QemuGuest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** QEMU's own dumps of a guest in long mode, against what its monitor says and against its copy of the memory. */
class QemuDumpTest {

    @TempDir
    private Path folder;

    @Test
    void readsDumpsOfBothKinds() throws Exception {
        try (QemuGuest qemu = QemuGuest.start(folder)) {
            Path memory = qemu.memory(folder);
            List<String> truth = qemu.registers();
            for (boolean paging : new boolean[] {false, true}) {
                Path dump = qemu.dump(folder.resolve("paging-" + paging), paging, "elf");
                try (Guest guest = Guests.open(dump)) {
                    check(guest, memory, truth);
                    Path copy = folder.resolve("copy-" + paging);
                    new ElfCoreFormat().writer(Map.of()).write(guest, copy, Progress.none());
                    try (Guest again = Guests.open(copy)) {
                        check(again, memory, truth);
                        assertEquals(
                                guest.vcpus().stream().map(Vcpu::registers).toList(),
                                again.vcpus().stream().map(Vcpu::registers).toList());
                        assertArrayEquals(
                                guest.vcpus().getFirst().rawContexts().getFirst().bytes(),
                                again.vcpus().getFirst().rawContexts().getFirst().bytes(),
                                "QEMU's NT_PRSTATUS and ours");
                        assertArrayEquals(
                                guest.vcpus().getFirst().rawContexts().getLast().bytes(),
                                again.vcpus().getFirst().rawContexts().getLast().bytes(),
                                "QEMU's note and ours");
                    }
                }
                try (FileBytes file = FileBytes.open(dump)) {
                    List<String> failed = new ElfCoreFormat().verify(file, true, Progress.none()).stream()
                            .filter(check -> check.result() == Check.Result.FAIL)
                            .map(Check::toString)
                            .toList();
                    assertEquals(List.of(), failed);
                }
                Files.delete(dump);
            }
        }
    }

    private static void check(Guest guest, Path memory, List<String> truth) {
        Patterns.assertSameAs(memory, guest.memory());
        // With paging, what no page table maps is in the file, but in none of its segments.
        assertTrue(guest.findings().stream().allMatch(finding -> finding.severity() == Severity.NOTE
                && finding.message().contains("nothing refers to")), guest.findings()::toString);
        assertEquals(2, guest.vcpus().size());
        for (int i = 0; i < 2; i++) {
            RegisterState registers = guest.vcpus().get(i).registers();
            assertEquals(value(truth.get(i), "R?[EI]IP|RIP"), registers.get(X86.RIP));
            assertEquals(value(truth.get(i), "CR3"), registers.get(X86.CR3));
            assertEquals(value(truth.get(i), "CR4"), registers.get(X86.CR4));
            assertEquals(value(truth.get(i), "[ER]SP"), registers.get(X86.RSP));
            segment(truth.get(i), "CS", registers, X86.CS, X86.CS_BASE, X86.CS_LIMIT, X86.CS_ATTRIBUTES);
            segment(truth.get(i), "GS", registers, X86.GS, X86.GS_BASE, X86.GS_LIMIT, X86.GS_ATTRIBUTES);
            segment(truth.get(i), "TR", registers, X86.TR, X86.TR_BASE, X86.TR_LIMIT, X86.TR_ATTRIBUTES);
        }
        RegisterState first = guest.vcpus().getFirst().registers();
        assertEquals(0x1011121314151617L, first.get(X86.RAX));
        assertEquals(0xe0e1e2e3e4e5e6e7L, first.get(X86.R15));
        assertEquals(0xffff800011223344L, first.get(X86.KERNEL_GS_BASE));
        assertEquals(0xffff800055667788L, first.get(X86.GS_BASE));
    }

    private static long value(String text, String name) {
        Matcher matcher = Pattern.compile("\\b(?:" + name + ")=\\s*([0-9a-f]+)").matcher(text);
        assertTrue(matcher.find(), () -> name + " in " + text);
        return Long.parseUnsignedLong(matcher.group(1), 16);
    }

    /** "CS =0018 0000000000000000 ffffffff 00af9b00 DPL=0": selector, base, limit, second word of the descriptor. */
    private static void segment(
            String text, String name, RegisterState registers, X86 selector, X86 base, X86 limit, X86 attributes) {
        Matcher matcher = Pattern.compile("\\b" + name + " *=([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+)")
                .matcher(text);
        assertTrue(matcher.find(), () -> name + " in " + text);
        assertEquals(Long.parseUnsignedLong(matcher.group(1), 16), registers.get(selector));
        assertEquals(Long.parseUnsignedLong(matcher.group(2), 16), registers.get(base));
        assertEquals(Long.parseUnsignedLong(matcher.group(3), 16), registers.get(limit));
        assertEquals(Long.parseUnsignedLong(matcher.group(4), 16) >> 8 & 0xf0ff, registers.get(attributes));
    }
}

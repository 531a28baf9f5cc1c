package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.format.WriteReport;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** A live guest written in every format that can be written, and read back. */
class QemuToFormatsTest {

    private static final Set<X86> IN_EVERY_FORMAT =
            Set.of(X86.RAX, X86.R15, X86.RIP, X86.RSP, X86.RFLAGS, X86.CS, X86.SS, X86.CR0, X86.CR3, X86.CR4);

    private static QemuGuest qemu;

    @TempDir
    private Path folder;

    @BeforeAll
    static void start() {
        qemu = QemuGuest.knownState("pc,max-ram-below-4g=64M", "qemu64", "128M");
    }

    @AfterAll
    static void stop() {
        if (qemu != null) {
            qemu.close();
        }
    }

    static Stream<String> formats() {
        return Guests.formats().stream().filter(CoreFormat::canWrite).map(CoreFormat::name);
    }

    @ParameterizedTest
    @MethodSource("formats")
    void memoryAndRegistersComeBack(String format) {
        Path file = folder.resolve("guest.core");
        try (Guest live = Guests.open(qemu.location())) {
            WriteReport report = Guests.format(format).writer(Map.of()).write(live, file, Progress.none());
            assertEquals(0, report.unreadableBytes());
            try (Guest core = Guests.open(file)) {
                assertEquals(format, core.provenance().format());
                compareMemory(live, core);
                if (core.vcpus().isEmpty()) {
                    // A format of memory only says so.
                    assertTrue(report.losses().stream().anyMatch(loss -> loss.what().equals("registers of 2 vCPUs")));
                    return;
                }
                assertEquals(live.vcpus().size(), core.vcpus().size());
                for (int i = 0; i < 2; i++) {
                    compareRegisters(live.vcpus().get(i).registers(), core.vcpus().get(i).registers());
                }
            }
        }
        assertTrue(qemu.isRunning());
    }

    private static void compareMemory(Guest live, Guest core) {
        byte[] expected = new byte[1 << 20];
        byte[] found = new byte[1 << 20];
        for (MemoryRegion region : live.memory().regions()) {
            long size = region.range().size();
            for (long done = 0; region.hasContent() && done < size; done += expected.length) {
                long length = Math.min(expected.length, size - done);
                long address = region.range().first() + done;
                live.memory().read(address, MemorySegment.ofArray(expected).asSlice(0, length));
                core.memory().read(address, MemorySegment.ofArray(found).asSlice(0, length));
                assertEquals(
                        -1,
                        MemorySegment.mismatch(
                                MemorySegment.ofArray(expected), 0, length, MemorySegment.ofArray(found), 0, length),
                        () -> region + " from 0x" + Long.toHexString(address));
            }
        }
    }

    private static void compareRegisters(RegisterState live, RegisterState core) {
        assertTrue(core.known().containsAll(IN_EVERY_FORMAT), core::toString);
        for (Register register : live.known()) {
            if (core.knows(register)) {
                assertEquals(live.hex(register), core.hex(register), register.label());
            }
        }
        assertFalse(live.knows(X86.LSTAR));
    }
}

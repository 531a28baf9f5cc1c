package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.FreezeMethod;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.open.Guests;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Guests of arm64, riscv64 and s390x that run under QEMU: all ways of freezing, all formats that can hold them. */
@Tag("foreign")
class QemuOtherProcessorsTest {

    private static final long RAM = 64 << 20;
    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @EnumSource
    void everyWayOfFreezingHasRegistersAndMemory(BareGuest processor) throws IOException {
        try (QemuGuest qemu = QemuGuest.bare(processor)) {
            for (FreezeMethod method : List.of(FreezeMethod.SNAPSHOT, FreezeMethod.BUFFER, FreezeMethod.DIRECT)) {
                try (GuestSource source = Guests.source(qemu.location());
                        Guest guest = source.freeze(FreezeRequest.only(method))) {
                    check(guest, processor, method == FreezeMethod.SNAPSHOT);
                    checkCores(guest, method.label());
                }
                assertTrue(qemu.isRunning(), method::label);
            }
            qemu.qmp("stop", Map.of());
            try (Guest guest = Guests.open(qemu.location())) {
                check(guest, processor, false);
                checkMonitor(guest, qemu.monitor("info registers -a"));
                checkMemory(guest, processor, qemu);
            }
        }
    }

    private static void check(Guest guest, BareGuest processor, boolean system) {
        assertSame(processor.architecture(), guest.architecture());
        assertEquals(2, guest.vcpus().size());
        RegisterState first = guest.vcpus().getFirst().registers();
        checkRegisters(first, processor, processor.registers());
        if (system) {
            checkRegisters(first, processor, processor.systemRegisters());
        }
    }

    private static void checkRegisters(RegisterState found, BareGuest processor, Map<String, Long> expected) {
        expected.forEach((label, value) -> assertEquals(
                value, found.get(processor.architecture().register(label).orElseThrow()), label));
    }

    /** Where each vCPU is, by the monitor; a guest that stands still. */
    private static void checkMonitor(Guest guest, String text) {
        String[] vcpus = text.split("CPU#");
        for (int i = 0; i < guest.vcpus().size(); i++) {
            String where = "%016x".formatted(guest.vcpus().get(i).registers()
                    .get(guest.architecture().instructionPointer().orElseThrow()));
            String printed = vcpus[i + 1];
            assertTrue(printed.contains(where), () -> where + " in " + printed);
        }
    }

    private static void checkMemory(Guest guest, BareGuest processor, QemuGuest qemu) throws IOException {
        MemoryRegion ram = guest.memory().regionAt(processor.ram()).orElseThrow();
        assertEquals(AddressRange.ofSize(processor.ram(), RAM), ram.range());
        try (FileChannel saved = qemu.saved(processor.ram(), RAM)) {
            byte[] theirs = new byte[1 << 20];
            byte[] ours = new byte[1 << 20];
            for (long done = 0; done < RAM; done += theirs.length) {
                assertEquals(theirs.length, saved.read(ByteBuffer.wrap(theirs)));
                guest.memory().read(processor.ram() + done, MemorySegment.ofArray(ours));
                assertEquals(ByteBuffer.wrap(theirs), ByteBuffer.wrap(ours), "at " + done);
            }
        }
    }

    /** Each format gives back what went in. */
    private void checkCores(Guest guest, String name) {
        for (String format : List.of("elf", "kdump", "lime", "raw")) {
            Path core = folder.resolve(guest.architecture().name() + "-" + name + "." + format);
            Guests.format(format).writer(Map.of()).write(guest, core, Progress.none());
            try (Guest read = Guests.open(core)) {
                if (!format.equals("lime") && !format.equals("raw")) {
                    assertSame(guest.architecture(), read.architecture(), format);
                    assertEquals(guest.memory().byteOrder(), read.memory().byteOrder(), format);
                    for (int i = 0; i < guest.vcpus().size(); i++) {
                        checkSame(guest.vcpus().get(i).registers(), read.vcpus().get(i).registers(), format);
                    }
                }
                checkRam(guest, read, format);
            }
        }
    }

    private static void checkSame(RegisterState expected, RegisterState found, String format) {
        assertTrue(found.known().size() > 30, format);
        found.known().stream()
                .filter(expected::knows)
                .forEach(register -> assertEquals(expected.hex(register), found.hex(register),
                        format + register.label()));
    }

    private static void checkRam(Guest expected, Guest found, String format) {
        byte[] wanted = new byte[PAGE];
        byte[] read = new byte[PAGE];
        for (MemoryRegion region : expected.memory().regions()) {
            for (long at = 0; region.kind() == MemoryRegion.Kind.RAM && at < 2 << 20; at += PAGE) {
                expected.memory().read(region.range().first() + at, MemorySegment.ofArray(wanted));
                found.memory().read(region.range().first() + at, MemorySegment.ofArray(read));
                assertEquals(ByteBuffer.wrap(wanted), ByteBuffer.wrap(read), format + " at " + at);
            }
        }
    }
}

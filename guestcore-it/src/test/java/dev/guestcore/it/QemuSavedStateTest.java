package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

/** What a real QEMU writes when a guest is migrated into a file. */
class QemuSavedStateTest {

    private static final int CHUNK = 1 << 20;

    @TempDir
    private Path folder;

    /** Saves a guest through a command that reads its standard input; afterwards it stands still, and can be looked at. */
    private static void save(QemuGuest guest, String command) {
        guest.qmp("migrate-set-parameters", Map.of("max-bandwidth", 1L << 40));
        guest.qmp("migrate", Map.of("uri", "exec:" + command));
        for (int i = 0; i < 600; i++) {
            JsonNode answer = guest.qmp("query-migrate", Map.of());
            if (answer.path("status").asString().equals("completed")) {
                return;
            }
            assertNotEquals("failed", answer.path("status").asString(), answer::toString);
            try {
                TimeUnit.MILLISECONDS.sleep(50);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(e);
            }
        }
        fail("QEMU did not finish the migration");
    }

    @Test
    void registersAndMemoryAreThoseOfThePausedGuest() throws IOException {
        try (QemuGuest qemu = QemuGuest.knownState("pc,max-ram-below-4g=64M", "qemu64", "128M")) {
            check(qemu, false, "pc-i440fx-", 128 << 20);
        }
    }

    @Test
    void registersAndMemoryOfAnotherMachineWithAvx() throws IOException {
        try (QemuGuest qemu = QemuGuest.knownState("q35", "max", "64M")) {
            check(qemu, true, "pc-q35-", 64 << 20);
        }
    }

    private void check(QemuGuest qemu, boolean avx, String machine, long ram) throws IOException {
        qemu.qmp("stop", Map.of());
        String[] texts = qemu.monitor("info registers -a").split("CPU#");
        Path file = folder.resolve("saved");
        save(qemu, "cat > " + file);
        try (Guest saved = Guests.open(file); Guest live = Guests.open(qemu.location())) {
            assertEquals("vmstate", saved.provenance().format());
            assertTrue(saved.provenance().layout().startsWith("machine " + machine), saved.provenance()::layout);
            assertTrue(saved.provenance().layout().endsWith("paused, memory split by CMOS"),
                    saved.provenance()::layout);
            assertTrue(saved.findings().stream().allMatch(finding -> finding.severity() == Severity.NOTE),
                    saved.findings()::toString);
            assertEquals(2, saved.vcpus().size());
            for (Vcpu vcpu : saved.vcpus()) {
                checkRegisters(vcpu, texts[vcpu.index() + 1], avx);
            }
            ComparedGuests compared = ComparedGuests.compare(live, saved);
            assertEquals(0, compared.excluded());
            assertEquals(0, compared.other());
            assertTrue(compared.present() > ram, compared::toString);
            assertEquals(compared, ComparedGuests.compare(saved, live));
            checkSavedByQemu(qemu, saved);

            Path core = folder.resolve("core");
            Guests.format("vbox").writer(Map.of()).write(saved, core, Progress.none());
            try (Guest converted = Guests.open(core)) {
                List<RegisterState> registers = saved.vcpus().stream().map(Vcpu::registers).toList();
                ComparedGuests.registers(registers, converted, 100);
                RegisterState first = converted.vcpus().getFirst().registers();
                assertEquals(0xffffb8b800004000L, first.get(X86.LSTAR));
                assertEquals(0x0007040600070406L, first.get(X86.PAT));
                assertEquals(compared, ComparedGuests.compare(live, converted));
            }
        }
    }

    private static void checkRegisters(Vcpu vcpu, String monitor, boolean avx) {
        RegisterState found = vcpu.registers();
        RegisterState expected = KnownState.registers(vcpu.index(), avx);
        for (var register : expected.known()) {
            assertEquals(expected.hex(register), found.hex(register), vcpu.index() + " " + register.label());
        }
        for (String part : MonitorText.of(found)) {
            assertTrue(monitor.contains(part), () -> "vcpu " + vcpu.index() + ": no '" + part + "' in " + monitor);
        }
        // What the boot sector loads, and the monitor does not print.
        int number = vcpu.index();
        assertEquals(0x0010000800000000L + number, found.get(X86.STAR));
        assertEquals(0xffffb8b800004000L + number, found.get(X86.LSTAR));
        assertEquals(0xffffc9c900005000L + number, found.get(X86.CSTAR));
        assertEquals(0x40600 + number, found.get(X86.SFMASK));
        assertEquals(0x10 + number, found.get(X86.SYSENTER_CS));
        assertEquals(0xffffd0d000006000L + number, found.get(X86.SYSENTER_ESP));
        assertEquals(0xffffe1e100007000L + number, found.get(X86.SYSENTER_EIP));
        assertEquals(5, found.get(X86.CR8));
        assertEquals(number == 0 ? 0xfee00900L : 0xfee00800L, found.get(X86.APIC_BASE));
        assertEquals(avx ? 7 : 1, found.get(X86.XCR0));
        assertEquals(avx, found.knows(X86.YMM0));
    }

    /** All that both say is RAM or ROM, against what QEMU writes by itself. */
    private static void checkSavedByQemu(QemuGuest qemu, Guest saved) throws IOException {
        byte[] theirs = new byte[CHUNK];
        byte[] ours = new byte[CHUNK];
        long compared = 0;
        for (MemoryRegion region : saved.memory().regions()) {
            long size = region.range().size();
            try (FileChannel reference = qemu.saved(region.range().first(), size)) {
                for (long done = 0; done < size; done += CHUNK) {
                    int length = (int) Math.min(CHUNK, size - done);
                    assertEquals(length, reference.read(ByteBuffer.wrap(theirs, 0, length), done));
                    saved.memory().read(region.range().first() + done, MemorySegment.ofArray(ours).asSlice(0, length));
                    assertEquals(-1, Arrays.mismatch(theirs, 0, length, ours, 0, length), region::toString);
                    compared += length;
                }
            }
        }
        assertTrue(compared > 64 << 20, "compared " + compared);
    }

    /** Both sides of 4 GiB, with the machines' own rules. */
    @Test
    void memoryLiesWhereTheFlatViewSays() {
        for (String[] machine : new String[][] {{"pc", "3584M"}, {"pc", "3G"}, {"q35", "3584M"}, {"q35", "5G"}}) {
            try (QemuGuest qemu = QemuGuest.knownState(machine[0], "qemu64", machine[1])) {
                qemu.qmp("stop", Map.of());
                Path file = folder.resolve("saved-" + machine[0] + machine[1]);
                save(qemu, "cat > " + file);
                try (Guest saved = Guests.open(file); Guest live = Guests.open(qemu.location())) {
                    assertEquals(withContent(live), withContent(saved), String.join(" ", machine));
                }
            }
        }
    }

    /** Ranges with content, as one where they touch. */
    private static List<String> withContent(Guest guest) {
        List<AddressRange> ranges = new ArrayList<>();
        for (MemoryRegion region : guest.memory().regions()) {
            if (region.hasContent()) {
                AddressRange range = region.range();
                if (!ranges.isEmpty() && ranges.getLast().isFollowedBy(range)) {
                    range = new AddressRange(ranges.removeLast().first(), range.last());
                }
                ranges.add(range);
            }
        }
        return ranges.stream().map(AddressRange::toString).toList();
    }

    /** A kernel at work dirties pages while they are sent, and QEMU sends them again. */
    @Test
    void theLastCopyOfEachPageCountsWhenTheGuestRanMeanwhile() throws IOException {
        String needle = "GUESTCORE-NEEDLE-" + UUID.randomUUID();
        try (QemuGuest qemu = QemuGuest.linux(needle)) {
            Path file = folder.resolve("saved.zst");
            Tools.require("zstd");
            save(qemu, "zstd -q > " + file);
            assertFalse(qemu.isRunning());
            try (Guest saved = Guests.open(file); Guest live = Guests.open(qemu.location())) {
                assertTrue(saved.provenance().layout().startsWith("zstd, machine pc-q35-"), saved.provenance()::layout);
                ComparedGuests compared = ComparedGuests.compare(live, saved);
                assertEquals(0, compared.other() + compared.excluded());
                assertTrue(compared.present() > 512 << 20, compared::toString);
                ComparedGuests.registers(live.vcpus().stream().map(Vcpu::registers).toList(), saved, 90);
            }
            assertTrue(Files.size(file) < 128 << 20);
        }
    }
}

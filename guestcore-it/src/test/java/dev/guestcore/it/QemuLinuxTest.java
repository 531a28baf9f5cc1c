package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A stock Linux kernel under QEMU, taken while it runs, and the cores that are written of it. */
class QemuLinuxTest {

    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    @Test
    void theNeedleTheBannerAndTheSpinningProcessAreFound() {
        List<CoreFormat> formats =
                Guests.formats().stream().filter(CoreFormat::canWrite).toList();
        String needle = "GUESTCORE-NEEDLE-" + UUID.randomUUID();
        try (QemuGuest qemu = QemuGuest.linux(needle)) {
            assertTrue(qemu.isRunning());
            try (Guest guest = openWhileProcessRuns(qemu)) {
                assertEquals(List.of(), guest.findings());
                assertEquals(2, guest.vcpus().size());
                RegisterState spinning = spinning(guest).orElseThrow();
                assertEquals(0x33, spinning.get(X86.CS), "64-bit user mode");
                assertEquals(0x1b1b1b1b1b1b1b1bL, spinning.get(X86.RBX));
                assertEquals(0x6a6a6a6a6a6a6a6aL, spinning.get(X86.R15));
                assertEquals(0xd01, spinning.get(X86.EFER));

                checkMemory(guest, needle);
                for (CoreFormat format : formats) {
                    format.writer(Map.of()).write(guest, folder.resolve(format.name()), Progress.none());
                }
            }
            assertTrue(qemu.isRunning());
        }
        assertTrue(formats.size() >= 2, "VMCore and dump-core at least");
        for (CoreFormat format : formats) {
            try (Guest core = Guests.open(folder.resolve(format.name()))) {
                assertEquals(format.name(), core.provenance().format());
                checkMemory(core, needle);
            }
        }
    }

    /** Now and then both vCPUs are in the kernel, for an interrupt. */
    private static Guest openWhileProcessRuns(QemuGuest qemu) {
        for (int i = 0; i < 50; i++) {
            Guest guest = Guests.open(qemu.location());
            if (spinning(guest).isPresent()) {
                return guest;
            }
            guest.close();
        }
        return fail("the guest's process was never seen in its loop");
    }

    private static Optional<RegisterState> spinning(Guest guest) {
        return guest.vcpus().stream()
                .map(Vcpu::registers)
                .filter(registers -> registers.get(X86.RIP) == 0x400200)
                .findFirst();
    }

    private static void checkMemory(Guest guest, String needle) {
        Set<Integer> needlePages = new TreeSet<>();
        boolean banner = false;
        byte[] bannerText = "Linux version 6.".getBytes(StandardCharsets.US_ASCII);
        byte[] chunk = new byte[1 << 20];
        for (MemoryRegion region : guest.memory().regions()) {
            for (long done = 0; region.hasContent() && done < region.range().size(); done += chunk.length) {
                int length = (int) Math.min(chunk.length, region.range().size() - done);
                MemorySegment target = MemorySegment.ofArray(chunk).asSlice(0, length);
                guest.memory().read(region.range().first() + done, target);
                for (int page = 0; page + PAGE <= length; page += PAGE) {
                    needlePage(needle, chunk, page, needlePages);
                }
                banner |= contains(chunk, length, bannerText);
            }
        }
        assertEquals(Set.of(0, 1, 2, 3), needlePages);
        assertTrue(banner);
    }

    /** Notes the number of the page if it is one of those that the guest's process filled. */
    private static void needlePage(String needle, byte[] memory, int start, Set<Integer> found) {
        byte[] text = needle.getBytes(StandardCharsets.US_ASCII);
        for (int j = 0; j < text.length; j++) {
            if (memory[start + j] != text[j]) {
                return;
            }
        }
        for (int number = 0; number < 4; number++) {
            boolean all = true;
            for (int j = text.length; j < PAGE && all; j++) {
                all = memory[start + j] == (byte) (7 * j + 13 * number + (j >> 8));
            }
            if (all) {
                found.add(number);
            }
        }
    }

    private static boolean contains(byte[] memory, int length, byte[] text) {
        for (int start = 0; start + text.length <= length; start++) {
            int j = 0;
            while (j < text.length && memory[start + j] == text[j]) {
                j++;
            }
            if (j == text.length) {
                return true;
            }
        }
        return false;
    }
}

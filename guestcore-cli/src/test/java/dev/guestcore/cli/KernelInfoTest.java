package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.open.Guests;
import dev.guestcore.testing.ElfFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code info} says of the guest's kernel. */
class KernelInfoTest {

    @TempDir
    Path folder;

    private static Object value(Map<?, ?> kernel, String fact, String confidence) {
        Map<?, ?> derived = (Map<?, ?>) kernel.get(fact);
        assertEquals(confidence, derived.get("confidence"), fact);
        return derived.get("value");
    }

    @Test
    void aGlanceShowsTheKernel() throws IOException {
        String guest = PagedGuest.withLinux(folder);
        String out = Run.of("info", guest).expect(0).out();
        assertTrue(out.contains("  system       Linux " + PagedGuest.RELEASE), out);
        assertTrue(out.contains("  phys_base    -0xe00000"), out);
        assertTrue(out.contains("likely: image at 0xffffffff81000000"), out);
        assertTrue(out.contains("  VMCOREINFO   not searched for; use --scan"), out);
        assertTrue(out.lines().allMatch(line -> line.length() <= 80 || line.contains(folder.toString())), out);
        Map<?, ?> kernel = (Map<?, ?>) Run.of("info", "--json", guest).expect(0).json().get("kernel");
        assertEquals(PagedGuest.RELEASE, value(kernel, "release", "certain"));
        assertEquals("0x0", value(kernel, "kaslrOffset", "likely"));
        assertEquals("-0xe00000", value(kernel, "physicalBase", "likely"));
        assertEquals("0x1000", value(kernel, "pageTableRoot", "likely"));
        assertFalse(kernel.containsKey("vmcoreInfo"));
    }

    @Test
    void aScanConfirmsIt() throws IOException {
        String guest = PagedGuest.withLinux(folder);
        Map<?, ?> kernel = (Map<?, ?>) Run.of("info", "--scan", "--json", guest).expect(0).json().get("kernel");
        assertEquals("-0xe00000", value(kernel, "physicalBase", "certain"));
        assertEquals("0x203000", value(kernel, "pageTableRoot", "certain"));
        assertEquals(PagedGuest.VMCOREINFO, value(kernel, "vmcoreInfo", "certain"));
        assertEquals(true, kernel.get("searched"));
        String out = Run.of("info", "--scan", guest).expect(0).out();
        assertTrue(out.contains("  VMCOREINFO   " + PagedGuest.VMCOREINFO.length() + " bytes"), out);
    }

    @Test
    void vmcoreInfoIsAText() throws IOException {
        Run run = Run.of("info", "--vmcoreinfo", PagedGuest.withLinux(folder)).expect(0);
        assertEquals(PagedGuest.VMCOREINFO.lines().toList(), run.out().lines().toList());
        Run.of("info", "--vmcoreinfo", PagedGuest.in(folder)).failsWith(ExitCode.FAILED, "no VMCOREINFO");
        Run.of("info", "--vmcoreinfo", "--scan", "demo:").refuses("--vmcoreinfo");
    }

    /** QEMU takes whatever a guest's driver hands it as VMCOREINFO. */
    @Test
    void theHeaderOfAWindowsCrashDumpIsNoVmcoreInfo() {
        ElfFiles elf = new ElfFiles(true, ByteOrder.LITTLE_ENDIAN, 62, 1 << 14);
        byte[] header = ByteBuffer.allocate(8192)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put("PAGEDU64".getBytes(StandardCharsets.US_ASCII))
                .putInt(15)
                .putInt(22631)
                .array();
        byte[] note = elf.note("VMCOREINFO", 0, header);
        elf.programHeader(4, elf.content(note), 0, 0, note.length, note.length);
        String core =
                ElfFiles.write(folder.resolve("windows.core"), elf.load(0x1000, new byte[4096]).build()).toString();
        assertTrue(Run.of("info", core).expect(0).out().startsWith("Windows build 22631"));
        Run.of("info", "--vmcoreinfo", core).failsWith(ExitCode.FAILED, "memory has no VMCOREINFO");
    }

    @Test
    void saysHowDebuggersOpenThisFile() throws IOException {
        String core = folder.resolve("linux.core").toString();
        Run.of("capture", PagedGuest.withLinux(folder), "-o", core, "--to", "xen").expect(0);
        Map<?, ?> json = Run.of("info", "--json", core).expect(0).json();
        List<?> next = (List<?>) json.get("next");
        String crash = command(next, "crash");
        assertEquals("crash -m phys_base=0xffffffffff200000 vmlinux " + core, crash);
        assertTrue(Run.of("info", core).expect(0).out().contains("    " + crash + System.lineSeparator()));
        boolean canWriteElf =
                Guests.formats().stream().anyMatch(format -> format.name().equals("elf") && format.canWrite());
        String why = "no advice that cannot be followed";
        assertEquals(canWriteElf, !command(next, "drgn").isEmpty(), why);
        assertEquals(Verbs.names().contains("gdb"), !command(next, "gdb").isEmpty(), why);
    }

    private static String command(List<?> next, String tool) {
        return next.stream()
                .map(Map.class::cast)
                .filter(advice -> advice.get("tool").equals(tool))
                .map(advice -> advice.get("command").toString())
                .findFirst()
                .orElse("");
    }

    @Test
    void nothingIsSaidOfAnUnknownKernel() throws IOException {
        assertFalse(Run.of("info", "--scan", PagedGuest.in(folder)).expect(0).out().contains("kernel"));
        Map<?, ?> json = Run.of("info", "--json", "demo:").expect(0).json();
        assertFalse(json.containsKey("kernel") || json.containsKey("next"), json.toString());
    }
}

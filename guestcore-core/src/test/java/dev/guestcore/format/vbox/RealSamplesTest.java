package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Cores of VirtualBox 7.2.22 against what its own debugger said beside. */
class RealSamplesTest {

    private static final Pattern REGISTER = Pattern.compile("cpu(\\d+)\\.(\\w+)\\s*= 0x([0-9a-f]+)");
    private static final Pattern RANGE = Pattern.compile("([0-9a-f]{16})-([0-9a-f]{16})");
    private static final Map<String, String> LABELS = Map.of(
            "krnl_gs_base", "kernel_gs_base", "sf_mask", "sfmask", "gdtr_lim", "gdtr.limit", "idtr_lim", "idtr.limit");

    @TempDir
    private Path folder;

    static List<String> samples() {
        return Samples.VBOX_REAL;
    }

    @ParameterizedTest
    @CsvSource({
        "vbox/real/p1-bios-8m-1cpu,0",
        "vbox/real/p2-bios-72m-2cpu-high,0",
        "vbox/real/p2-bios-72m-2cpu-high,1",
        "vbox/real/p3-ich9-4m-avx-iem,0",
        "vbox/real/efi-ich9-64m-iem,0"
    })
    void knowsTheRegistersThatVirtualBoxShowed(String sample, int cpu) {
        try (Guest guest = Guests.open(Samples.core(sample))) {
            RegisterState registers = guest.vcpus().get(cpu).registers();
            Matcher lines = REGISTER.matcher(Samples.text(sample, "regs.cpu" + cpu + ".txt"));
            Map<String, String> compared = new HashMap<>();
            while (lines.find()) {
                Optional<X86> register = X86.ofLabel(label(lines.group(2)));
                if (Integer.parseInt(lines.group(1)) != cpu
                        || register.isEmpty()
                        || register.get() == X86.CR8
                        || register.get() == X86.FTW) {
                    continue;
                }
                BigInteger truth = new BigInteger(lines.group(3), 16);
                if (register.get() == X86.RFLAGS) {
                    // getregisters shows garbage in the upper half.
                    truth = truth.and(BigInteger.valueOf(0xffffffffL));
                }
                if (register.get().bits() == 256 && !registers.knows(register.get())) {
                    // XSTATE_BV says that the upper halves are in their initial state.
                    assertTrue(truth.bitLength() <= 128, register.get().label());
                    continue;
                }
                if (isAmbiguous(register.get(), lines.group(3))) {
                    continue;
                }
                compared.put(register.get().label(), "");
                assertEquals("0x" + truth.toString(16), registers.hex(register.get()), register.get().label());
            }
            assertTrue(compared.size() >= 80, () -> "only " + compared.keySet());
        }
    }

    /** The debugger drops leading zeros inside of wide registers. */
    private static boolean isAmbiguous(X86 register, String digits) {
        return register.bits() >= 128 && digits.length() != register.bits() / 4;
    }

    private static String label(String name) {
        return LABELS.getOrDefault(
                name,
                name.replace("_attr", ".attributes")
                        .replaceFirst("^(cs|ds|es|fs|gs|ss|ldtr|tr|gdtr|idtr)_base$", "$1.base")
                        .replace("_lim", ".limit"));
    }

    @ParameterizedTest
    @MethodSource("samples")
    void givesTheRangesThatVirtualBoxListed(String sample) {
        Matcher devices = RANGE.matcher(Samples.text(sample, "info-mmio.txt"));
        Map<String, Boolean> isDevice = new HashMap<>();
        while (devices.find()) {
            isDevice.put(devices.group(), true);
        }
        StringBuilder expected = new StringBuilder();
        Matcher ranges = RANGE.matcher(Samples.text(sample, "info-phys.txt"));
        while (ranges.find()) {
            expected.append(ranges.group()).append(isDevice.containsKey(ranges.group()) ? " DEVICE\n" : " RAM\n");
        }
        StringBuilder found = new StringBuilder();
        try (Guest guest = Guests.open(Samples.core(sample))) {
            for (MemoryRegion region : guest.memory().regions()) {
                found.append(String.format(
                        Locale.ROOT,
                        "%016x-%016x %s%n",
                        region.range().first(),
                        region.range().last(),
                        region.kind()));
            }
            assertEquals("7.2.22 r175245", guest.facts(VirtualBoxFacts.class).orElseThrow().versionText());
            assertEquals(List.of(), guest.findings());
        }
        assertEquals(expected.toString(), found.toString());
    }

    @ParameterizedTest
    @MethodSource("samples")
    void rewritesIdentically(String sample) throws Exception {
        Path copy = folder.resolve("copy");
        try (Guest guest = Guests.open(Samples.core(sample))) {
            assertEquals(
                    List.of(), VmCoreWriter.likeSource().write(guest, copy, Progress.none()).losses());
        }
        assertEquals(-1, Files.mismatch(Samples.core(sample), copy));
    }

    @ParameterizedTest
    @CsvSource({
        "vbox/real/p1-bios-8m-1cpu,200000,400000",
        "vbox/real/p2-bios-72m-2cpu-high,200000,400000",
        "vbox/real/p2-bios-72m-2cpu-high,100000000,100200000",
        "vbox/real/p3-ich9-4m-avx-iem,200000,400000"
    })
    void readsWhatTheGuestWrote(String sample, String from, String to) {
        long end = Long.parseLong(to, 16);
        byte[] chunk = new byte[1 << 16];
        byte[] expected = new byte[chunk.length];
        try (Guest guest = Guests.open(Samples.core(sample))) {
            for (long at = Long.parseLong(from, 16); at < end; at += chunk.length) {
                ByteBuffer words = ByteBuffer.wrap(expected).order(ByteOrder.LITTLE_ENDIAN);
                for (long word = at; word < at + chunk.length; word += 8) {
                    words.putLong(word ^ 0xA5A5C3C35A5A3C3CL);
                }
                guest.memory().read(at, MemorySegment.ofArray(chunk));
                assertArrayEquals(expected, chunk);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    void breaksNoRule(String sample) {
        try (FileBytes file = FileBytes.open(Samples.core(sample))) {
            List<Check> broken = new VmCoreFormat()
                    .verify(file, true, Progress.none()).stream()
                    .filter(check -> check.result() != Check.Result.PASS)
                    .toList();
            assertEquals(List.of(), broken);
        }
    }
}

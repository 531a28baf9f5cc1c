package dev.guestcore.format.vbox;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.Samples;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Reading and writing of what the original writers of six versions wrote, against what they were given. */
class GeneratedSamplesTest {

    private static final int PAGE = 4096;

    @TempDir
    private Path folder;

    static List<String> samples() {
        return Samples.VBOX_GENERATED;
    }

    static Stream<String> rightSamples() {
        return samples().stream().filter(sample -> !sample.contains("r32341"));
    }

    @ParameterizedTest
    @MethodSource("samples")
    void knowsEveryRegisterThatWentIn(String sample) {
        GeneratedCore truth = GeneratedCore.of(sample);
        try (Guest guest = Guests.open(Samples.core(sample))) {
            assertEquals(truth.input().get("cCpus").asInt(), guest.vcpus().size());
            for (Vcpu vcpu : guest.vcpus()) {
                Map<String, Long> expected = new HashMap<>(truth.registers(vcpu.index()));
                expected.remove("dr4");
                expected.remove("dr5");
                if (truth.layout() == VmCoreLayout.V5_0) {
                    // Format version 3 has no rflags, and its sysenter fields are a union by mistake.
                    List.of("rflags", "sysenter_cs", "sysenter_eip").forEach(expected::remove);
                }
                if (truth.layout() == VmCoreLayout.V4_2) {
                    expected.put("apic_base", u64(truth.payload(vcpu.index()), 0x420));
                }
                Map<String, Long> found = new HashMap<>();
                for (Register register : vcpu.registers().known()) {
                    if (register.group() != Register.Group.FPU && register.group() != Register.Group.VECTOR) {
                        found.put(register.label(), vcpu.registers().get(register));
                    }
                }
                assertEquals(expected, found);
                assertExtendedState(truth, vcpu);
            }
        }
    }

    /** The extended state is a pattern over all its bytes (input.json: xsavePattern, rawFill). */
    private static void assertExtendedState(GeneratedCore truth, Vcpu vcpu) {
        boolean context = truth.layout().payloadSize() < 2048;
        byte[] area = new byte[512];
        for (int i = 0; i < area.length; i++) {
            area[i] = (byte) (context ? i * 3 + vcpu.index() * 0x55 + 0x10 : i * 5 + vcpu.index() * 0x33 + 0x21);
        }
        RegisterState registers = vcpu.registers();
        assertEquals(ByteBuffer.wrap(area).order(ByteOrder.LITTLE_ENDIAN).getShort(0) & 0xffff, registers.get(X86.FCW));
        assertEquals(
                ByteBuffer.wrap(area).order(ByteOrder.LITTLE_ENDIAN).getInt(24) & 0xffffffffL,
                registers.get(X86.MXCSR));
        for (int i = 0; i < 16; i++) {
            byte[] xmm = new byte[16];
            System.arraycopy(area, 160 + 16 * i, xmm, 0, 16);
            assertArrayEquals(xmm, registers.bytes(X86.xmm(i)));
        }
    }

    private static long u64(byte[] bytes, int offset) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(offset);
    }

    @ParameterizedTest
    @MethodSource("samples")
    void tellsLayoutVersionAndRegions(String sample) {
        GeneratedCore truth = GeneratedCore.of(sample);
        try (Guest guest = Guests.open(Samples.core(sample))) {
            assertEquals(truth.regions(), guest.memory().regions());
            assertEquals(List.of(truth.facts()), guest.facts());
            assertEquals(
                    truth.layout().label() + ", format version "
                            + (GeneratedCore.number(truth.input().get("fmtVersion")) & 0xff),
                    guest.provenance().layout());
        }
    }

    @ParameterizedTest
    @MethodSource("rightSamples")
    void readsEveryPage(String sample) {
        GeneratedCore truth = GeneratedCore.of(sample);
        try (Guest guest = Guests.open(Samples.core(sample))) {
            byte[] page = new byte[PAGE];
            for (MemoryRegion region : truth.regions()) {
                for (long at = region.range().first(); region.hasContent() && at < region.range().last(); at += PAGE) {
                    guest.memory().read(at, MemorySegment.ofArray(page));
                    assertArrayEquals(truth.page(at), page, () -> "page of " + region);
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("rightSamples")
    void rewritesIdentically(String sample) throws Exception {
        Path copy = folder.resolve("copy");
        try (Guest guest = Guests.open(Samples.core(sample))) {
            WriteReport report = VmCoreWriter.likeSource().write(guest, copy, Progress.none());
            assertEquals(List.of(), report.losses());
            assertEquals(Files.size(copy), report.bytes());
        }
        assertEquals(-1, Files.mismatch(Samples.core(sample), copy));
    }

    @ParameterizedTest
    @MethodSource("rightSamples")
    void writesTheSameAsTheOriginalFromTheSameGuest(String sample) throws Exception {
        GeneratedCore truth = GeneratedCore.of(sample);
        Path copy = folder.resolve("copy");
        WriteReport report = VmCoreWriter.likeSource().write(truth.guest(), copy, Progress.none());
        assertEquals(truth.input().get("sha256").asString(), sha256(copy));
        assertEquals(
                List.of(new AddressRange(0x5000, 0x5fff), new AddressRange(0x123000, 0x123fff)),
                report.unreadable());
        assertEquals(2L * PAGE, report.unreadableBytes());
    }

    private static String sha256(Path file) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (FileChannel channel = FileChannel.open(file)) {
            ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
            while (channel.read(buffer) >= 0) {
                digest.update(buffer.flip());
                buffer.clear();
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    @Test
    void givesTheFirstPageOfEachRangeOfTheFoundingRevisionOnly() {
        GeneratedCore truth = GeneratedCore.of("vbox/r32341-A");
        try (Guest guest = Guests.open(Samples.core("vbox/r32341-A"))) {
            byte[] page = new byte[PAGE];
            long lost = 0;
            for (MemoryRegion region : truth.regions()) {
                if (!region.hasContent()) {
                    continue;
                }
                long first = region.range().first();
                guest.memory().read(first, MemorySegment.ofArray(page));
                assertArrayEquals(truth.page(first), page);
                if (region.range().size() > PAGE) {
                    assertEquals(
                            PageState.UNREADABLE, guest.memory().runAt(first + PAGE).state());
                    assertEquals(
                            region.range().last(), guest.memory().runAt(first + PAGE).range().last());
                    assertEquals(0, guest.memory().readAvailable(first + PAGE, MemorySegment.ofArray(page)));
                    MemoryAccessException error = Assertions.assertThrows(
                            MemoryAccessException.class,
                            () -> guest.memory().read(first + 16, MemorySegment.ofArray(new byte[PAGE])));
                    assertEquals(first + PAGE, error.address());
                }
                lost += region.range().size() / PAGE - 1;
            }
            String file = Samples.core("vbox/r32341-A").toString();
            assertTrue(guest.findings()
                    .contains(Finding.note(file + ": p_offset of all 9 ranges is 504 bytes too small, a fault of"
                            + " VirtualBox before r34134; corrected on reading")));
            assertTrue(guest.findings()
                    .contains(Finding.damage(file + ": VirtualBox before r34197 wrote the first page of each range"
                            + " again for every other page of it: the other " + Amounts.count(lost)
                            + " pages are lost and cannot be read")));
        }
    }

    /**
     * Built here from the formula alone: headers of the sample with p_offset put right, and the memory that is left.
     */
    @Test
    void rewritesTheFoundingRevisionAsItWasMeant() throws Exception {
        GeneratedCore truth = GeneratedCore.of("vbox/r32341-A");
        Path left = expectedFounding(truth, Samples.core("vbox/r32341-A"), true);
        Path copy = folder.resolve("copy");
        try (Guest guest = Guests.open(Samples.core("vbox/r32341-A"))) {
            WriteReport report = VmCoreWriter.likeSource().write(guest, copy, Progress.none());
            assertEquals(1, report.losses().size());
            assertTrue(report.losses().getFirst().what().startsWith("state unreadable of pages"));
        }
        assertEquals(-1, Files.mismatch(left, copy));
        Path whole = folder.resolve("from-guest");
        VmCoreWriter.likeSource().write(truth.guest(), whole, Progress.none());
        assertEquals(-1, Files.mismatch(expectedFounding(truth, Samples.core("vbox/r32341-A"), false), whole));
    }

    private Path expectedFounding(GeneratedCore truth, Path sample, boolean firstPagesOnly) throws Exception {
        int ranges = truth.regions().size();
        long headersAndNotes = Files.size(sample);
        for (MemoryRegion region : truth.regions()) {
            headersAndNotes -= region.hasContent() ? region.range().size() : 0;
        }
        Path expected = folder.resolve("expected-" + firstPagesOnly);
        try (FileChannel in = FileChannel.open(sample);
                FileChannel out = FileChannel.open(
                        expected, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            ByteBuffer head = ByteBuffer.allocate((int) headersAndNotes).order(ByteOrder.LITTLE_ENDIAN);
            in.read(head, 0);
            for (int i = 0; i < ranges; i++) {
                int field = 64 + 56 * (i + 1) + 8;
                head.putLong(field, head.getLong(field) + 56L * ranges);
            }
            out.write(head.flip());
            for (MemoryRegion region : truth.regions()) {
                for (long at = region.range().first(); region.hasContent() && at < region.range().last(); at += PAGE) {
                    boolean known = !firstPagesOnly || at == region.range().first();
                    out.write(ByteBuffer.wrap(known ? truth.page(at) : new byte[PAGE]));
                }
            }
        }
        return expected;
    }

    @ParameterizedTest
    @MethodSource("samples")
    void doesNotTakeOurFoundingFilesForFaultyOnes(String sample) {
        Path copy = folder.resolve("copy");
        GeneratedCore truth = GeneratedCore.of(sample);
        VmCoreWriter.layout(VmCoreLayout.R32341).write(truth.guest(), copy, Progress.none());
        try (Guest guest = Guests.open(copy)) {
            assertFalse(guest.findings().stream().anyMatch(f -> f.severity() == Severity.DAMAGE));
            byte[] page = new byte[PAGE];
            guest.memory().read(0x2000, MemorySegment.ofArray(page));
            assertArrayEquals(truth.page(0x2000), page);
        }
    }
}

package dev.guestcore.source.described;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.format.WriteReport;
import dev.guestcore.format.vbox.VmCoreWriter;
import dev.guestcore.open.Guests;
import dev.guestcore.source.demo.DemoInvariant;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Sources of ours through the VMCore writer: the described guest of each generated sample, and the demo guest. */
class DescribedVmCoreTest {

    /** The file has room for them, but they are no registers of their own: a processor reads dr6 and dr7 there. */
    private static final Set<String> UNUSED = Set.of("dr4", "dr5");

    @TempDir
    private Path folder;

    static List<String> reproducible() {
        return Samples.VBOX_GENERATED.stream()
                .filter(sample -> !sample.contains("r32341"))
                .toList();
    }

    private Path write(JsonNode input) throws IOException {
        Path description = folder.resolve("guest.json");
        Files.writeString(description, GeneratedSamples.describe(input));
        Path core = folder.resolve("vm.core");
        try (Guest guest = Guests.open("file:" + description)) {
            VmCoreWriter.likeSource().write(guest, core, Progress.none());
        }
        return core;
    }

    @ParameterizedTest
    @MethodSource("reproducible")
    void factsOfASampleGiveItsBytes(String sample) throws IOException, NoSuchAlgorithmException {
        JsonNode input = GeneratedSamples.input(sample);
        Path core = write(input);
        assertEquals(input.get("fileSize").longValue(), Files.size(core));
        assertEquals(-1, Files.mismatch(Samples.core(sample), core));
        MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
        sha256.update(Files.readAllBytes(core));
        assertEquals(input.get("sha256").stringValue(), HexFormat.of().formatHex(sha256.digest()));
    }

    /** Without the raw blob the writer works from the register names alone, and they come back. */
    @Test
    void registersAloneSurviveTheWayThroughAFile() throws IOException {
        JsonNode input = GeneratedSamples.input("vbox/7.0.10-A");
        input.get("cpus").forEach(cpu -> ((ObjectNode) cpu).put("noteDescHex", "00"));
        Path core = write(input);
        try (Guest guest = Guests.open(core)) {
            for (int cpu = 0; cpu < 2; cpu++) {
                JsonNode inputs = input.get("cpus").get(cpu).get("inputs");
                for (Map.Entry<String, JsonNode> entry : inputs.properties()) {
                    String label = GeneratedSamples.label(entry.getKey());
                    if (UNUSED.contains(label)) {
                        continue;
                    }
                    assertEquals(
                            GeneratedSamples.number(entry.getValue()),
                            guest.vcpus().get(cpu).registers().get(X86.ofLabel(label).orElseThrow()),
                            label);
                }
            }
        }
    }

    /** Where that revision's writer had two faults ours is right: every page is that of the formula. */
    @Test
    void theFoundingLayoutHoldsEveryPage() throws IOException {
        JsonNode input = GeneratedSamples.input("vbox/r32341-A");
        Path core = write(input);
        try (Guest written = Guests.open(core);
                Guest described = Guests.open("file:" + folder.resolve("guest.json"))) {
            byte[] expected = new byte[4096];
            byte[] found = new byte[4096];
            for (long page : new long[] {0, 0x1000, 0x4000, 0xc1000, 0x122000, 0xffe000, 0xe0000000L, 0x1000fe000L}) {
                assertEquals(PageState.PRESENT, described.memory().runAt(page).state());
                described.memory().read(page, MemorySegment.ofArray(expected));
                written.memory().read(page, MemorySegment.ofArray(found));
                assertEquals(-1, Arrays.mismatch(expected, found), Long.toHexString(page));
            }
        }
    }

    @Test
    void demoCaptureReadBackIsOfOneInstant() throws IOException {
        Path core = folder.resolve("demo.core");
        try (Guest guest = Guests.open("demo:fail=0x5000")) {
            WriteReport report = VmCoreWriter.newest().write(guest, core, Progress.none());
            assertEquals(List.of(new AddressRange(0x5000, 0x5fff)), report.unreadable());
        }
        try (Guest guest = Guests.open(core)) {
            assertEquals(List.of(), DemoInvariant.check(guest));
            assertEquals(2, guest.vcpus().size());
        }
    }
}

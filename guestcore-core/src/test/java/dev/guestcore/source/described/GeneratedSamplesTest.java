package dev.guestcore.source.described;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.RawContext;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.JsonNode;

/** The facts of each generated VirtualBox sample, given through the described guest, are the guest of that sample. */
class GeneratedSamplesTest {

    private static final ValueLayout.OfLong U64 =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    @TempDir
    private Path folder;

    static List<String> samples() {
        return Samples.VBOX_GENERATED;
    }

    private Guest open(JsonNode input) throws IOException {
        Path file = folder.resolve("guest.json");
        Files.writeString(file, GeneratedSamples.describe(input));
        return Guests.open("file:" + file);
    }

    @ParameterizedTest
    @MethodSource("samples")
    void registersAndFactsAreThoseOfTheSample(String sample) throws IOException {
        JsonNode input = GeneratedSamples.input(sample);
        try (Guest guest = open(input)) {
            assertEquals(input.get("cCpus").intValue(), guest.vcpus().size());
            for (int cpu = 0; cpu < guest.vcpus().size(); cpu++) {
                JsonNode inputs = input.get("cpus").get(cpu).get("inputs");
                for (Map.Entry<String, JsonNode> entry : inputs.properties()) {
                    X86 register = X86.ofLabel(GeneratedSamples.label(entry.getKey())).orElseThrow();
                    assertEquals(
                            GeneratedSamples.number(entry.getValue()),
                            guest.vcpus().get(cpu).registers().get(register),
                            entry.getKey());
                }
                assertEquals(inputs.size(), guest.vcpus().get(cpu).registers().known().size());
                List<RawContext> raw = guest.vcpus().get(cpu).rawContexts();
                assertEquals(
                        input.get("cpus").get(cpu).get("noteDescHex").stringValue(),
                        HexFormat.of().formatHex(raw.getFirst().bytes()));
            }
            VirtualBoxFacts facts = guest.facts(VirtualBoxFacts.class).orElseThrow();
            assertEquals(GeneratedSamples.number(input.get("vboxVersionField")), facts.version());
            assertEquals(input.get("vboxRevision").intValue(), facts.revision());
        }
    }

    @ParameterizedTest
    @MethodSource("samples")
    void everyPageIsThatOfTheFormula(String sample) throws IOException {
        JsonNode input = GeneratedSamples.input(sample);
        List<Long> failing = input.get("readFailures").valueStream()
                .map(failure -> GeneratedSamples.number(failure.get("addr")))
                .toList();
        try (Guest guest = open(input)) {
            assertEquals(input.get("rangeCount").intValue(), guest.memory().regions().size());
            int zeros = 0;
            for (int index = 0; index < guest.memory().regions().size(); index++) {
                MemoryRegion region = guest.memory().regions().get(index);
                JsonNode range = input.get("ranges").get(index);
                assertEquals(GeneratedSamples.number(range.get("start")), region.range().first());
                assertEquals(GeneratedSamples.number(range.get("last")), region.range().last());
                assertEquals(range.get("mmio").booleanValue(), !region.hasContent());
                for (long page = region.range().first();
                        region.hasContent() && page < region.range().last();
                        page += 4096) {
                    if (failing.contains(page)) {
                        assertEquals(PageState.UNREADABLE, guest.memory().runAt(page).state());
                        continue;
                    }
                    byte[] bytes = new byte[4096];
                    guest.memory().read(page, MemorySegment.ofArray(bytes));
                    assertArrayEquals(formula(page), bytes, () -> "page of " + sample);
                    zeros += guest.memory().runAt(page).state() == PageState.ZERO ? 1 : 0;
                }
            }
            assertTrue(zeros > 1000);
        }
    }

    /** The formula of input.json, word for word. */
    private static byte[] formula(long address) {
        long n = address >>> 12;
        byte[] page = new byte[4096];
        MemorySegment segment = MemorySegment.ofArray(page);
        if (n % 4 == 3) {
            return page;
        }
        if (n % 512 == 5 || n % 512 == 6) {
            for (int i = 0; i < 512; i++) {
                segment.set(U64, 8L * i, (address + 8L * i) * 0x9E3779B97F4A7C15L);
            }
            return page;
        }
        segment.fill((byte) (n * 7 + 13));
        MemorySegment.copy("VBOXPAGE".getBytes(StandardCharsets.US_ASCII), 0, segment, ValueLayout.JAVA_BYTE, 0, 8);
        segment.set(U64, 8, address);
        return page;
    }
}

package dev.guestcore.internal.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.testing.LinuxPages;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LinuxMemoryTest {

    private static Optional<LinuxMemory> of(byte[] memory, byte[] vmcoreInfo) {
        return LinuxMemory.of(
                Guest.builder().ram(0, MemorySegment.ofArray(memory)).build().memory(), vmcoreInfo);
    }

    private static byte[] changed(String from, String to) {
        String text = new String(LinuxPages.vmcoreInfo(), StandardCharsets.US_ASCII);
        assertTrue(text.contains(from));
        return text.replace(from, to).getBytes(StandardCharsets.US_ASCII);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void findsTheDirectMapAndTheLastSection(boolean pointer) {
        byte[] memory = new byte[0x400000];
        LinuxPages.put(memory, 19, pointer);
        LinuxMemory linux = of(memory, LinuxPages.vmcoreInfo()).orElseThrow();
        assertEquals(OptionalLong.of(LinuxPages.DIRECT_MAP), linux.directMap());
        assertEquals(OptionalLong.of(19L << 27), linux.endOfSections());
    }

    @Test
    void knowsNothingWhereMemoryDoesNotBearItOut() {
        byte[] memory = new byte[0x400000];
        assertEquals(Optional.empty(), of(memory, LinuxPages.vmcoreInfo()), "no tables");
        LinuxPages.put(memory, 1, true);
        assertEquals(Optional.empty(), of(memory, new byte[0]));
        assertEquals(Optional.empty(), of(memory, changed("=-16777216", "=-14680064")), "another place");
        LinuxMemory silent = of(memory, changed("SYMBOL(mem_section)=", "SYMBOL(mem_map)=")).orElseThrow();
        assertEquals(OptionalLong.empty(), silent.endOfSections());
        LinuxMemory absurd = of(memory, changed("LENGTH(mem_section)=2048", "LENGTH(mem_section)=999999999"))
                .orElseThrow();
        assertEquals(OptionalLong.empty(), absurd.endOfSections());
    }

    @Test
    void aDirectMapThatIsNoneIsNotTaken() {
        byte[] memory = new byte[0x400000];
        LinuxPages.put(memory, 1, true);
        // Its first page leads 2 MiB further than it would if all of memory followed from there.
        memory[0x14000 + 2] = 0x20;
        assertEquals(OptionalLong.empty(), of(memory, LinuxPages.vmcoreInfo()).orElseThrow().directMap());
    }
}

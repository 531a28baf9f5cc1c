package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.MemoryRegion;
import dev.guestcore.it.readers.WrittenCore.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** readelf of binutils. */
@Opens({"vbox", "xen", "elf"})
class ReadelfTest {

    private static final Pattern LOAD =
            Pattern.compile("(?m)^  LOAD +0x[0-9a-f]+ 0x0{16} 0x([0-9a-f]+) 0x([0-9a-f]+) 0x([0-9a-f]+) ");

    private static final Pattern ELF_LOAD = Pattern.compile(
            "(?m)^  LOAD +0x[0-9a-f]+ 0x[0-9a-f]{16} 0x[0-9a-f]{16} 0x([0-9a-f]+) 0x[0-9a-f]+ ");

    static Stream<WrittenCore> vmCores() {
        return WrittenCore.of(Kind.VMCORE);
    }

    static Stream<WrittenCore> dumpCores() {
        return WrittenCore.of(Kind.HVM_DUMP, Kind.PV64_DUMP, Kind.PV32_DUMP);
    }

    static Stream<WrittenCore> elfCores() {
        return WrittenCore.of(Kind.ELF);
    }

    private static String read(WrittenCore core) {
        String output = Program.run("readelf", "-hlSn", "--wide", core.file()).content().output();
        // Some complaints go to standard output.
        assertFalse(Pattern.compile("(?i)warning|<corrupt|error:").matcher(output).find(), output);
        assertTrue(output.contains("CORE (Core file)"), output);
        return output;
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void everyRangeAndNoteOfAVmCoreIsListed(WrittenCore core) {
        String output = read(core);
        assertTrue(output.contains("There are no sections in this file."), output);
        List<MemoryRegion> regions = core.truth().regions();
        List<String> expected = new ArrayList<>();
        for (MemoryRegion region : regions) {
            long size = region.range().size();
            expected.add(range(region.range().first(), region.hasContent() ? size : 0, size));
        }
        List<String> found = LOAD.matcher(output).results().map(ReadelfTest::range).toList();
        assertEquals(expected, found);
        int vcpus = core.truth().registers().size();
        assertEquals(1, count(output, "(?m)^  VB(OX)?CORE "));
        assertEquals(vcpus, count(output, "(?m)^  VB(OX)?CPU "));
        assertEquals(core.analystNotes() ? vcpus : 0, count(output, "(?m)^  CORE .*NT_PRSTATUS"));
        assertEquals(core.name().endsWith("kept") ? 1 : 0, count(output, "(?m)^  GUESTCORE "));
        boolean linux = core.origin() == WrittenCore.Origin.LINUX;
        assertEquals(core.analystNotes() && linux ? 1 : 0, count(output, "(?m)^  VMCOREINFO "));
    }

    private static String range(long address, long stored, long size) {
        return "0x%x: %d of %d".formatted(address, stored, size);
    }

    private static String range(MatchResult load) {
        return range(number(load.group(1)), number(load.group(2)), number(load.group(3)));
    }

    private static long number(String hexadecimal) {
        return Long.parseUnsignedLong(hexadecimal, 16);
    }

    private static long count(String text, String pattern) {
        return Pattern.compile(pattern).matcher(text).results().count();
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void everySectionOfADumpCoreIsListed(WrittenCore core) {
        String output = read(core);
        assertTrue(output.contains("There are no program headers in this file."), output);
        for (String section : List.of(".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_pages")) {
            assertEquals(1, count(output, "(?m)^  \\[ *[0-9]+] \\Q" + section + "\\E +"), section);
        }
        boolean machineFrames = core.kind() != Kind.HVM_DUMP;
        assertEquals(machineFrames ? 1 : 0, count(output, "(?m)^  \\[ *[0-9]+] \\.xen_p2m +PROGBITS"));
        assertEquals(machineFrames ? 0 : 1, count(output, "(?m)^  \\[ *[0-9]+] \\.xen_pfn +PROGBITS"));
        assertEquals(core.name().endsWith("kept") ? 1 : 0, count(output, "(?m)^  \\[ *[0-9]+] \\.guestcore +"));
        // In a core it looks for notes in program headers only; readelf of elfutils shows them.
        assertTrue(output.contains("No notes found"), output);
    }

    @ParameterizedTest
    @MethodSource("elfCores")
    void everyRangeAndNoteOfAnElfCoreIsListed(WrittenCore core) {
        String output = read(core);
        assertTrue(output.contains("There are no sections in this file."), output);
        int vcpus = core.truth().registers().size();
        assertEquals(vcpus, count(output, "(?m)^  CORE .*NT_PRSTATUS"));
        assertEquals(vcpus, count(output, "(?m)^  QEMU "));
        assertEquals(core.origin() == WrittenCore.Origin.LINUX ? 1 : 0, count(output, "(?m)^  VMCOREINFO "));
        assertEquals(core.name().endsWith("kept") ? 1 : 0, count(output, "(?m)^  GUESTCORE "));
        long bytes = ELF_LOAD.matcher(output)
                .results()
                .mapToLong(load -> number(load.group(1)))
                .sum();
        assertEquals(core.truth().memory().stream().mapToLong(MemoryDigest::length).sum(), bytes);
    }
}

package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.it.readers.WrittenCore.Kind;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** readelf of elfutils, and so the library libelf. */
@Opens({"vbox", "xen"})
class EuReadelfTest {

    @TempDir
    private Path folder;

    static Stream<WrittenCore> vmCores() {
        return WrittenCore.of(Kind.VMCORE)
                .filter(core -> core.origin() != WrittenCore.Origin.LINUX && !core.analystNotes());
    }

    static Stream<WrittenCore> vmCoresForAnalysts() {
        return WrittenCore.of(Kind.VMCORE).filter(WrittenCore::analystNotes);
    }

    static Stream<WrittenCore> dumpCores() {
        return WrittenCore.of(Kind.HVM_DUMP, Kind.PV64_DUMP, Kind.PV32_DUMP);
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void dumpCoresAreListed(WrittenCore core) {
        String output = Program.run("eu-readelf", "-hlSn", core.file()).content().output();
        assertTrue(output.contains("CORE (Core file)"), output);
        assertTrue(output.contains(".xen_pages"), output);
        assertTrue(output.matches("(?s).*\\n  Xen +8  .*"), output);
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void vmCoresAreRefusedForTheirVersionAlone(WrittenCore core) {
        Program refusal = Program.run("eu-readelf", "-hlSn", core.file());
        assertEquals(1, refusal.status());
        assertTrue(refusal.errors().contains("not a valid ELF file"), refusal::errors);
        assertTrue(core.check("vbox-02").readers().contains("libelf"));

        listsAll(core, core.copyWithStandardVersion(folder));
    }

    @ParameterizedTest
    @MethodSource("vmCoresForAnalysts")
    void vmCoresWithAnalystNotesAreListed(WrittenCore core) {
        listsAll(core, core.file());
    }

    private static void listsAll(WrittenCore core, Path file) {
        String output = Program.run("eu-readelf", "-hlSn", file).content().output();
        assertEquals(
                core.truth().regions().size(),
                output.lines().filter(line -> line.startsWith("  LOAD ")).count());
        assertEquals(
                core.truth().registers().size(),
                output.lines().filter(line -> line.matches("  VB(OX)?CPU .*")).count());
    }
}

package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.format.Check;
import dev.guestcore.it.readers.WrittenCore.Kind;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** drgn, which opens a VMCore with analyst notes; for the others these tests hold the documentation to why not. */
@Opens("vbox")
class DrgnTest {

    @TempDir
    private Path folder;

    static Stream<WrittenCore> vmCores() {
        return WrittenCore.oneOfEachGuest(Kind.VMCORE).filter(core -> core.origin() != WrittenCore.Origin.LINUX);
    }

    static Stream<WrittenCore> dumpCores() {
        return WrittenCore.of(Kind.HVM_DUMP, Kind.PV64_DUMP).filter(core -> core.origin() != WrittenCore.Origin.LINUX);
    }

    private static Program digests(Path file, List<MemoryDigest> pieces) {
        return Program.python("drgn_digests.py", "drgn", "python3-drgn", MemoryDigest.question(pieces), file);
    }

    @ParameterizedTest
    @MethodSource("vmCores")
    void vmCoresAreRefusedForTheirVersionAlone(WrittenCore core) {
        List<MemoryDigest> memory = core.truth().memory();
        Program refusal = digests(core.file(), memory);
        assertNotEquals(0, refusal.status());
        assertTrue(refusal.errors().contains("ValueError: not an ELF core file"), refusal::errors);
        Check check = core.check("vbox-02");
        assertEquals(Check.Result.PASS, check.result(), "so it is what VirtualBox writes");
        assertTrue(check.readers().contains("drgn"), check::readers);

        Program accepted = digests(core.copyWithStandardVersion(folder), memory);
        assertEquals(MemoryDigest.answer(memory), accepted.content().output());
    }

    @Test
    void aLinuxGuestIsKnownByItsAnalystNotes() {
        WrittenCore core = WrittenCore.of(WrittenCore.Origin.LINUX, "vmcore-analyst");
        assertEquals(
                LinuxRelease.ofTestKernel() + "\n",
                Program.python("drgn_release.py", "drgn", "python3-drgn", "", core.file()).content().output());
        List<MemoryDigest> memory = core.truth().memory();
        assertEquals(MemoryDigest.answer(memory), digests(core.file(), memory).content().output());
    }

    @ParameterizedTest
    @MethodSource("dumpCores")
    void dumpCoresHaveNoMemoryForIt(WrittenCore core) {
        Program program = digests(core.file(), core.truth().memory());
        assertTrue(program.errors().contains("FaultError: could not find memory segment"), program::errors);
    }
}

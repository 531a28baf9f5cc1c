package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.ComparedGuests;
import dev.guestcore.it.readers.WrittenCore.Origin;
import dev.guestcore.open.Guests;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * makedumpfile, which reads the page tables and the page map of Linux to leave out what is free, cached, zero or user
 * memory. It needs VMCOREINFO for that, so it opens cores of Linux only.
 */
@Opens({"vbox", "elf", "kdump"})
class MakedumpfileTest {

    private static final long PAGE = 4096;
    private static final long FIRMWARE = 0xc0000000L;

    @TempDir
    private Path folder;

    static Stream<WrittenCore> accepted() {
        return Stream.of("elf", "elf-kept", "kdump-none", "kdump-zlib", "kdump-lzo", "vmcore-analyst")
                .map(name -> WrittenCore.of(Origin.LINUX, name));
    }

    private Path filter(Path core) {
        Path filtered = folder.resolve("filtered");
        Program program = Program.run("makedumpfile", "-l", "-d", "31", core, filtered);
        assertEquals(0, program.status(), program::all);
        assertTrue(program.all().contains("makedumpfile Completed."), program::all);
        return filtered;
    }

    /** What is kept is the guest's, and what is not is known to be left out. */
    private static void checkFiltered(Path filtered) {
        WrittenCore source = WrittenCore.of(Origin.LINUX, "elf");
        long ram = source.truth().pages();
        try (Guest expected = Guests.open(source.file());
                Guest found = Guests.open(filtered)) {
            List<MemoryDigest> memory = source.truth().memory();
            assertEquals(memory, MemoryDigest.of(expected.memory(), memory));
            ComparedGuests compared = ComparedGuests.compare(expected, found);
            assertTrue(compared.present() / PAGE > 1000, compared::toString);
            assertTrue(compared.present() / PAGE < ram / 2, compared::toString);
            assertTrue(compared.excluded() / PAGE > ram / 2, compared::toString);
            // It knows no memory behind the kernel's page map, so none of the firmware.
            assertEquals(firmware(memory), compared.other(), compared::toString);
            ComparedGuests.registers(source.truth().registers(), found, 20);
        }
    }

    private static long firmware(List<MemoryDigest> memory) {
        return memory.stream()
                .filter(piece -> piece.address() >= FIRMWARE)
                .mapToLong(MemoryDigest::length)
                .sum();
    }

    @ParameterizedTest
    @MethodSource("accepted")
    void pagesAreFilteredByTheKernelsPageMap(WrittenCore core) {
        checkFiltered(filter(core.file()));
    }

    @Test
    void aFlattenedKdumpIsAssembledAndThenFiltered() {
        WrittenCore flattened = WrittenCore.of(Origin.LINUX, "kdump-flattened");
        Program refusal = Program.run("makedumpfile", "-l", "-d", "31", flattened.file(), folder.resolve("none"));
        assertTrue(refusal.all().contains("Can't get valid ehdr"), refusal::all);
        Path assembled = folder.resolve("assembled");
        Program program = Program.runWithInput(flattened.file(), "makedumpfile", "-R", assembled);
        assertEquals(0, program.status(), program::all);
        checkFiltered(filter(assembled));
    }

    @ParameterizedTest
    @ValueSource(strings = {"snappy", "zstd"})
    void othersCodecsDependOnItsPackage(String codec) {
        WrittenCore core = WrittenCore.of(Origin.LINUX, "kdump-" + codec);
        String version = Program.run("makedumpfile", "-v").all();
        if (version.contains(codec + "\tenabled")) {
            checkFiltered(filter(core.file()));
        } else {
            assertTrue(version.contains(codec + "\tdisabled"), version);
            Program refusal = Program.run("makedumpfile", "-l", "-d", "31", core.file(), folder.resolve("none"));
            assertNotEquals(0, refusal.status(), refusal::all);
        }
    }

    /** An ELF file without program headers has no memory for it. */
    @Test
    void dumpCoresHaveNoMemoryForIt() {
        WrittenCore core = WrittenCore.of(Origin.LINUX, "hvm");
        Program refusal = Program.run("makedumpfile", "-l", "-d", "31", core.file(), folder.resolve("none"));
        assertTrue(refusal.all().contains("Can't get the number of PT_LOAD"), refusal::all);
    }
}

package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The same damaged pages give the same exit code, whatever is done with them, and also where only reading finds them. */
class DamageCodesTest {

    private static final int SIZE = 0x40000;
    private static final int CHUNK = 0x10000;

    @TempDir
    Path folder;

    private String damaged;
    private String whole;
    private String damagedPlace;

    /** One page, or one chunk, is damaged: of AVML at the beginning of memory, of a kdump at its end. */
    private void write(String format) throws IOException {
        byte[] content = new byte[SIZE];
        Random random = new Random(3);
        for (int i = 0; i < SIZE; i++) {
            // A kdump stores what cannot be compressed as it is, and without a checksum.
            content[i] = (byte) random.nextInt(16);
        }
        System.arraycopy("a needle".getBytes(java.nio.charset.StandardCharsets.US_ASCII), 0, content, 3 * CHUNK, 8);
        MemoryRegion region = new MemoryRegion(new AddressRange(0, SIZE - 1), MemoryRegion.Kind.RAM, "");
        Path path = folder.resolve("whole." + format);
        try (Guest guest = Guest.builder().region(region, RegionContents.of(MemorySegment.ofArray(content))).build()) {
            Guests.format(format).writer(Map.of()).write(guest, path, Progress.none());
        }
        byte[] image = Files.readAllBytes(path);
        boolean first = format.equals("avml");
        image[first ? 5000 : image.length - 1] ^= 1;
        damagedPlace = "0x" + Integer.toHexString(first ? 0x100 : SIZE - 0x100);
        whole = path.toString();
        damaged = Files.write(folder.resolve("damaged." + format), image).toString();
    }

    @ParameterizedTest
    @ValueSource(strings = {"avml", "kdump"})
    void everyCommandThatMeetsDamagedPagesEndsWithThree(String format) throws IOException {
        write(format);
        String out = folder.resolve("out").toString();
        for (List<String> command : List.of(
                List.of("verify", "--deep", damaged),
                List.of("convert", damaged, "--to", "elf", "-o", out),
                List.of("search", damaged, "a needle"),
                List.of("search", damaged, "no such text"),
                List.of("diff", damaged, damaged),
                List.of("diff", whole, damaged),
                List.of("info", "--scan", damaged),
                List.of("info", "--scan", "--json", damaged),
                List.of("map", "--scan", damaged),
                List.of("read", damaged, damagedPlace),
                List.of("read", "--json", damaged, damagedPlace))) {
            Run run = Run.of(command.toArray(String[]::new));
            assertEquals(ExitCode.DAMAGED, run.code(), () -> command + ": " + run.err());
        }
    }

    @Test
    void whatIsNotMetIsNoDamage() throws IOException {
        write("avml");
        Run.of("read", damaged, "0x30000").expect(ExitCode.DONE);
        Run.of("search", damaged, "a needle", "--range", "0x20000-0x3ffff").expect(ExitCode.DONE);
        Run.of("diff", whole, whole).expect(ExitCode.DONE);
        Run.of("search", whole, "no such text").expect(ExitCode.FAILED);
    }

    @Test
    void sourcesOfFilesAreVerified() throws IOException {
        write("avml");
        String raw = "raw:" + whole + "@0x1000";
        assertTrue(Run.of("verify", "--deep", raw).expect(ExitCode.DONE).out().contains("raw-04"));
        assertTrue(Run.of("formats", raw).expect(ExitCode.DONE).out().contains("exact"));
        assertTrue(Run.of("formats", "raw:" + folder.resolve("none")).expect(ExitCode.FAILED).out()
                .contains("no such file"));
        assertTrue(Run.of("verify", "demo:").expect(ExitCode.FAILED).err().contains("is a live source"));
        assertTrue(Run.of("verify", "--manifest", raw).expect(ExitCode.USAGE).err().contains("belongs to one file"));
    }
}

package dev.guestcore.it;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The checked-in guests are what their sources say. */
class BootImagesTest {

    @ParameterizedTest
    @CsvSource({
        "known-state.asm, known-state.img",
        "needle-init.asm, needle-init",
        "two-level.asm, two-level.img",
        "pae.asm, pae.img",
        "five-level.asm, five-level.img",
        "generations.asm, generations.img"
    })
    void imageIsItsAssembledSource(String source, String image, @TempDir Path folder) throws Exception {
        Path assembled = folder.resolve(image);
        Process nasm = new ProcessBuilder(
                Tools.require("nasm").toString(),
                "-f",
                "bin",
                "-o",
                assembled.toString(),
                Path.of("src", "test", "boot", source).toString())
                .inheritIO()
                .start();
        assertEquals(0, nasm.waitFor());
        assertArrayEquals(Files.readAllBytes(assembled), QemuGuest.resource("/boot/" + image));
    }
}

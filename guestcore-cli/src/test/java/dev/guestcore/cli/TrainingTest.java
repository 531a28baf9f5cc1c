package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainingTest {

    @TempDir
    private Path folder;

    @Test
    @Tag("slow")
    void allItsCommandsStillExist() throws IOException {
        // The launcher does without its cache where the training fails, so nobody would notice.
        assertEquals(ExitCode.DONE, Training.run(folder, System.err));
    }
}

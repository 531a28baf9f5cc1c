package dev.guestcore.internal.file;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;

class IoReasonTest {

    @Test
    void isNeverTheNameOfTheFileAlone() {
        assertEquals("permission denied", IoReason.of(new AccessDeniedException("/a/core")));
        assertEquals("no such file", IoReason.of(new NoSuchFileException("/a/core")));
        assertEquals("the thread was interrupted", IoReason.of(new ClosedByInterruptException()));
        assertEquals("Read-only file system",
                IoReason.of(new FileSystemException("/a", null, "Read-only file system")));
        assertEquals("Input/output error", IoReason.of(new IOException("Input/output error")));
        assertEquals(
                "there is no address space left to map it; lift the limit (ulimit -v)",
                IoReason.of(new IOException("Map failed", new OutOfMemoryError("Map failed"))));
    }
}

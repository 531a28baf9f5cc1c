package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileBytesTest {

    @TempDir
    Path folder;

    @Test
    void readsBothByteOrders() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[] {1, 2, 3, 4, 5, 6, 7, (byte) 0xff});
        try (FileBytes file = FileBytes.open(path)) {
            assertEquals(0x0201, file.u16(0, ByteOrder.LITTLE_ENDIAN, "field"));
            assertEquals(0x050607ffL, file.u32(4, ByteOrder.BIG_ENDIAN, "field"));
            assertEquals(0xff07060504030201L, file.u64(0, ByteOrder.LITTLE_ENDIAN, "field"));
        }
    }

    @Test
    void everyAccessOutsideNamesFieldAndOffset() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[8]);
        try (FileBytes file = FileBytes.open(path)) {
            MalformedDumpException error = assertThrows(
                    MalformedDumpException.class, () -> file.u32(6, ByteOrder.LITTLE_ENDIAN, "e_version"));
            assertEquals(
                    path + ": at offset 0x6: e_version: expected 4 bytes up to offset 0xa, found a file of 8 bytes;"
                            + " the file is cut short or the field that points here is wrong",
                    error.getMessage());
            assertThrows(MalformedDumpException.class, () -> file.u8(-1, "field"));
            assertThrows(MalformedDumpException.class, () -> file.u64(Long.MAX_VALUE, ByteOrder.BIG_ENDIAN, "field"));
            assertThrows(MalformedDumpException.class, () -> file.view(4, Long.MAX_VALUE, "field"));
            assertFalse(file.holds(1, Long.MIN_VALUE));
            assertTrue(file.holds(8, 0));
        }
    }

    @Test
    void aFileThatShrinksIsAnErrorAndNotACrash() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[1 << 20]);
        try (FileBytes file = FileBytes.open(path)) {
            try (RandomAccessFile writer = new RandomAccessFile(path.toFile(), "rw")) {
                writer.setLength(4096);
            }
            assertEquals(4096, file.read(0, MemorySegment.ofArray(new byte[1 << 20])));
            assertThrows(SourceException.class, () -> file.bytes(1 << 19, 16, "field"));
            SourceException error = assertThrows(
                    SourceException.class, () -> file.u64(1 << 19, ByteOrder.LITTLE_ENDIAN, "field"));
            assertTrue(error.getMessage().contains("became shorter than the 1048576 bytes"));
        }
    }

    @Test
    void aFileThatShrinksIsAnErrorWhereItIsRead() throws IOException {
        int size = 1 << 20;
        Path path = folder.resolve("file");
        // Compiled code goes on behind an access that faulted; so often it is compiled.
        for (int round = 0; round < 20; round++) {
            Files.write(path, new byte[size]);
            try (FileBytes file = FileBytes.open(path)) {
                for (int offset = 0; offset < size / 2; offset += Long.BYTES) {
                    assertEquals(0, read(file, offset / Long.BYTES, offset));
                }
                try (RandomAccessFile writer = new RandomAccessFile(path.toFile(), "rw")) {
                    writer.setLength(size / 2);
                }
                for (int page = size / 2 / 4096; page < size / 4096; page++) {
                    int way = round + page;
                    long at = page * 4096L;
                    assertThrows(SourceException.class, () -> read(file, way, at),
                            () -> "way " + way % 5 + " at " + at);
                }
            }
        }
    }

    private static long read(FileBytes file, int way, long offset) {
        return switch (way % 5) {
            case 0 -> file.u8(offset, "u8");
            case 1 -> file.u16(offset, ByteOrder.LITTLE_ENDIAN, "u16");
            case 2 -> file.u32(offset, ByteOrder.BIG_ENDIAN, "u32");
            case 3 -> file.u64(offset, ByteOrder.LITTLE_ENDIAN, "u64");
            default -> file.bytes(offset, 8, "bytes")[7];
        };
    }

    @Test
    void refusesWhatIsNotAFile() {
        SourceException directory = assertThrows(SourceException.class, () -> FileBytes.open(folder));
        assertEquals(folder + ": is a directory; name the dump file in it", directory.getMessage());
        Path missing = folder.resolve("missing");
        SourceException absent = assertThrows(SourceException.class, () -> FileBytes.open(missing));
        assertEquals(missing + ": no such file", absent.getMessage());
    }

    private static String refusal(Path path) {
        return assertThrows(SourceException.class, () -> FileBytes.open(path)).getMessage();
    }

    @Test
    void saysWhatASpecialFileIsAndWhatToDo() throws Exception {
        Path pipe = folder.resolve("a pipe");
        assertEquals(0, new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor());
        assertEquals(
                pipe + ": is a named pipe; read it from standard input: write - instead of its name, and < '" + pipe
                        + "'",
                refusal(pipe));
        assertEquals("/dev/null: is a character device, which holds no dump; name the dump file",
                refusal(Path.of("/dev/null")));
        Path socket = folder.resolve("monitor");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(socket));
            assertEquals(socket + ": is a socket; if it is the monitor of a running QEMU, open qemu:" + socket,
                    refusal(socket));
        }
        Path dangling = Files.createSymbolicLink(folder.resolve("link"), folder.resolve("nowhere"));
        assertEquals(dangling + ": no such file; it is a link to something that does not exist", refusal(dangling));
        Path loop = Files.createSymbolicLink(folder.resolve("loop"), folder.resolve("loop"));
        assertTrue(refusal(loop).contains("Too many levels of symbolic links"), refusal(loop));
        assertTrue(refusal(folder.resolve("caf\ufffd.core")).contains("standard input (write - instead"));
    }

    /** Not only the tests': a shell gives a program pipes by such names. */
    @Test
    @SuppressWarnings("try")
    void readsStandardInputThroughACopy() throws IOException {
        byte[] content = new byte[200_000];
        content[150_000] = 5;
        InputStream before = System.in;
        System.setIn(new ByteArrayInputStream(content));
        FileBytes first;
        try {
            first = FileBytes.open(Path.of("-"));
        } finally {
            System.setIn(before);
        }
        try (FileBytes again = first.reopen()) {
            assertEquals(5, first.u8(150_000, "byte"));
            assertEquals("standard input: a pipe; read from a temporary copy of 200000 bytes in "
                    + System.getProperty("java.io.tmpdir"), first.findings().getFirst().message());
            assertTrue(first.storedAt(0, 100_000).hole());
            first.close();
            assertEquals(5, again.u8(150_000, "byte"));
        }
    }

    @Test
    void anEmptyFileCanBeOpened() throws IOException {
        Path path = Files.write(folder.resolve("empty"), new byte[0]);
        try (FileBytes file = FileBytes.open(path)) {
            assertEquals(0, file.size());
        }
    }
}

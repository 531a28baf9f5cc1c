package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.format.WriteReport;
import dev.guestcore.inspect.MemoryScan;
import dev.guestcore.open.Guests;
import dev.guestcore.report.Severity;
import dev.guestcore.testing.FlattenedFiles;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A disk that cannot give one block of a file. */
class FailingDiskTest {

    private static final int MEMORY = 1 << 20;
    private static final int BLOCK = 4096;

    @TempDir
    Path folder;

    private final AtomicInteger attempts = new AtomicInteger();

    /** As the kernel has it: what lies before the block is given, the block is an error. */
    private StoredFile.Reads failingAt(long bad) {
        return (channel, target, offset) -> {
            if (offset >= bad && offset < bad + BLOCK) {
                attempts.incrementAndGet();
                throw new IOException("Input/output error");
            }
            int limit = target.limit();
            if (offset < bad && offset + target.remaining() > bad) {
                target.limit(target.position() + (int) (bad - offset));
            }
            int count = channel.read(target, offset);
            target.limit(limit);
            return count;
        };
    }

    private static byte[] memory() {
        byte[] bytes = new byte[MEMORY];
        new Random(7).nextBytes(bytes);
        return bytes;
    }

    private Path dump(String format) {
        Path dump = folder.resolve("dump");
        try (Guest guest = Guest.builder()
                .ram(0, MemorySegment.ofArray(memory()))
                .vcpu(RegisterState.builder().set(X86.RIP, 1).build())
                .build()) {
            Guests.format(format).writer(Map.of()).write(guest, dump, Progress.none());
        }
        return dump;
    }

    /** How much of the memory is lost with one block: what shares its pages, or its compressed chunk. */
    private static long most(String format) {
        return format.equals("avml") ? 3 << 16 : 3 * BLOCK;
    }

    @ParameterizedTest
    @ValueSource(strings = {"avml", "elf", "kdump", "lime", "raw", "vbox", "xen"})
    void theRestIsRescued(String format) throws IOException {
        Path dump = dump(format);
        long bad = Files.size(dump) / 2 & -BLOCK;
        FileBytes file = FileBytes.open(dump, failingAt(bad));
        try (Guest guest = Guests.recognize(file).open(file)) {
            Path copy = folder.resolve("copy");
            WriteReport report = Guests.format("raw").writer(Map.of()).write(guest, copy, Progress.none());
            assertTrue(report.unreadableBytes() >= BLOCK && report.unreadableBytes() <= most(format), report::toString);
            assertEquals(1, report.unreadable().size());
            AddressRange lost = report.unreadable().getFirst();
            byte[] expected = memory();
            Arrays.fill(expected, (int) lost.first(), (int) lost.last() + 1, (byte) 0);
            assertArrayEquals(expected, Files.readAllBytes(copy));
            assertEquals(
                    List.of(Finding.damage(dump + ": 4096 bytes at offset 0x" + Long.toHexString(bad)
                            + " cannot be read: Input/output error")),
                    guest.findings().stream()
                            .filter(finding -> finding.severity() == Severity.DAMAGE)
                            .toList());
            assertEquals(PageState.UNREADABLE, guest.memory().runAt(lost.first() + BLOCK - 1).state());
            assertEquals(PageState.PRESENT, guest.memory().runAt(lost.last() + 1).state());
            int asked = attempts.get();
            assertEquals(
                    lost.last() / BLOCK - lost.first() / BLOCK + 1,
                    MemoryScan.run(guest.memory(), Progress.none()).unreadablePages());
            assertEquals(asked, attempts.get(), "a bad block is not asked for again");
        }
    }

    @Test
    void aFlattenedDumpLosesThatPlaceOnly() throws IOException {
        Path flat = folder.resolve("flat");
        byte[] stored = Files.readAllBytes(dump("elf"));
        new FlattenedFiles().piece(0, stored).end().write(flat);
        long bad = Files.size(flat) / 2 & -BLOCK;
        try (FileBytes file = FileBytes.open(flat, failingAt(bad))) {
            byte[] read = new byte[stored.length];
            long count = file.read(0, MemorySegment.ofArray(read));
            assertTrue(count < stored.length);
            assertEquals(0, file.readableFrom(count, 1));
            assertEquals(count - 100, file.readableFrom(100, stored.length - 100));
            long lost = file.unreadableFrom(count, stored.length - count);
            assertTrue(lost > 0 && lost <= BLOCK, () -> lost + "");
            long rest = count + lost;
            assertEquals(stored.length - rest, file.read(rest, MemorySegment.ofArray(read)));
            assertArrayEquals(
                    Arrays.copyOfRange(stored, (int) rest, stored.length),
                    Arrays.copyOf(read, (int) (stored.length - rest)));
        }
    }

    @Test
    void whatMustBeReadIsAnErrorThatNamesTheOffset() throws IOException {
        Path path = Files.write(folder.resolve("file"), memory());
        try (FileBytes file = FileBytes.open(path, failingAt(0x3000))) {
            SourceException error = assertThrows(SourceException.class, () -> file.bytes(0x2f00, 0x1000, "table"));
            assertEquals(
                    path + ": reading at offset 0x3000 failed: Input/output error; copy what can be read to another disk,"
                            + " for example with ddrescue",
                    error.getMessage());
        }
    }

    @Test
    void aDiskThatGivesNothingIsGivenUp() throws IOException {
        Path path = folder.resolve("file");
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), 1 << 30);
        }
        try (FileBytes file = FileBytes.open(path, (channel, target, offset) -> {
            throw new IOException("Input/output error");
        })) {
            MemorySegment page = MemorySegment.ofArray(new byte[BLOCK]);
            SourceException error = assertThrows(SourceException.class, () -> {
                for (long offset = 0; offset < 1 << 30; offset += BLOCK) {
                    assertEquals(0, file.read(offset, page));
                }
            });
            assertTrue(error.getMessage().contains("more than 16384 blocks cannot be read"), error.getMessage());
            assertEquals(1, file.readFailures().size());
        }
    }
}

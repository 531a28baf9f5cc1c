package dev.guestcore.format.xen;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A guest of 64 GiB in a sparse file, within the small heap that all tests have. */
@Tag("slow")
class XenLargeTest {

    private static final long SIZE = 64L << 30;

    @TempDir
    private Path folder;

    @Test
    void sixtyFourGibibytes() throws IOException {
        Path core = folder.resolve("core");
        MemoryRegion ram = new MemoryRegion(AddressRange.ofSize(0, SIZE), MemoryRegion.Kind.RAM, "");
        Guest guest = Guest.builder()
                .region(ram, RegionContents.zeros())
                .vcpu(RegisterState.builder().set(X86.RIP, 1).build())
                .build();
        XenDumpCoreWriter.hvm().write(guest, core, Progress.none());
        assertEquals(0x3000 + SIZE + (SIZE >> 12) * 8 + 72, Files.size(core));
        try (FileChannel channel = FileChannel.open(core, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {1, 2, 3}), 0x3000 + SIZE - 3);
        }
        try (Guest read = Guests.open(core)) {
            assertEquals(1, read.memory().regions().size());
            byte[] end = new byte[4];
            read.memory().read(SIZE - 4, MemorySegment.ofArray(end));
            assertEquals(3, end[3]);
        }
        unsort(core);
        try (Guest read = Guests.open(core)) {
            assertTrue(read.findings().getFirst().message().startsWith("entry 1 of the frame table is lower"));
            byte[] end = new byte[4];
            read.memory().read((1L << 40) + 4092, MemorySegment.ofArray(end));
            assertEquals(0, end[3]);
            read.memory().read(SIZE - 4, MemorySegment.ofArray(end));
            assertEquals(3, end[3]);
        }
    }

    /** Entry 0 becomes a frame above all others, so that the whole table must be sorted. */
    private static void unsort(Path core) throws IOException {
        try (FileChannel channel = FileChannel.open(core, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.wrap(new byte[] {0, 0, 0, 0x10}), 0x3000 + SIZE);
        }
    }
}

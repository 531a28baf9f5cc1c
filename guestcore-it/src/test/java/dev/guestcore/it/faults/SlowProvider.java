package dev.guestcore.it.faults;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.RegionContents;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.source.GuestSource;
import dev.guestcore.source.SourceProvider;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A guest whose memory is read slowly until the test says go, so that something can happen in the middle. It says when the
 * middle is reached. Both by files in a folder.
 */
public final class SlowProvider implements SourceProvider {

    /** The file that appears when some of the memory was read. */
    static final String REACHED = "reached";

    /** The file at whose sight the rest is read quickly. */
    static final String GO = "go";

    private static final int MEMORY = 32 << 20;
    private static final int MIDDLE = 4 << 20;
    private static final int MILLISECONDS_PER_MEBIBYTE = 100;

    /** Called by the service loader. */
    public SlowProvider() {}

    @Override
    public String scheme() {
        return "slow";
    }

    @Override
    public String help() {
        return "slow:FOLDER  reads slowly until FOLDER has a file 'go'";
    }

    @Override
    public GuestSource connect(String locator) {
        Path folder = Path.of(locator);
        byte[] piece = new byte[1 << 20];
        new Random(2).nextBytes(piece);
        AtomicLong read = new AtomicLong();
        RegionContents contents = (offset, target) -> {
            for (long done = 0; done < target.byteSize();) {
                int at = (int) (offset + done) % piece.length;
                int length = (int) Math.min(piece.length - at, target.byteSize() - done);
                MemorySegment.copy(piece, at, target, ValueLayout.JAVA_BYTE, done, length);
                done += length;
            }
            pause(folder, target.byteSize(), read.addAndGet(target.byteSize()));
            return target.byteSize();
        };
        Guest guest = Guest.builder()
                .region(new MemoryRegion(AddressRange.ofSize(0, MEMORY), MemoryRegion.Kind.RAM, "ram"), contents)
                .vcpu(RegisterState.builder().set(X86.RIP, 0x1000).build())
                .build();
        return GuestSource.ofFiles(guest, "a slow guest");
    }

    private static void pause(Path folder, long bytes, long soFar) {
        try {
            if (soFar >= MIDDLE && !Files.exists(folder.resolve(REACHED))) {
                Files.createFile(folder.resolve(REACHED));
            }
            if (!Files.exists(folder.resolve(GO))) {
                TimeUnit.MILLISECONDS.sleep(bytes * MILLISECONDS_PER_MEBIBYTE >> 20);
            }
        } catch (FileAlreadyExistsException e) {
            // another thread was first
            return;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits until a command has read some of the memory. */
    static void awaitReached(Path folder, CommandLine command) throws IOException, InterruptedException {
        while (!Files.exists(folder.resolve(REACHED))) {
            if (!command.process().isAlive()) {
                throw new IOException("the command ended before: " + command.err());
            }
            TimeUnit.MILLISECONDS.sleep(5);
        }
    }
}

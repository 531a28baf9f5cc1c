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
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A guest that, while its memory is read, takes away the room on the disk that its core is written to. Its bytes are
 * random, so that no format makes them smaller.
 */
public final class FillingProvider implements SourceProvider {

    /** Size of the guest's memory in bytes. */
    static final int MEMORY = 12 << 20;

    private static final int PIECE = 4096;

    /** Called by the service loader. */
    public FillingProvider() {}

    @Override
    public String scheme() {
        return "filling";
    }

    @Override
    public String help() {
        return "filling:WHEN,LEFT,FOLDER  fills the disk when so many bytes are written or, from -1 on, at the last page,"
                + " but for LEFT bytes beside those that are still to come";
    }

    @Override
    public GuestSource connect(String locator) {
        String[] words = locator.split(",", 3);
        long when = Long.parseLong(words[0]);
        long left = Long.parseLong(words[1]);
        Path folder = Path.of(words[2]);
        byte[] bytes = new byte[MEMORY];
        new Random(1).nextBytes(bytes);
        RegionContents memory = RegionContents.of(MemorySegment.ofArray(bytes));
        Guest guest = Guest.builder()
                .region(new MemoryRegion(AddressRange.ofSize(0, MEMORY), MemoryRegion.Kind.RAM, "ram"),
                        (offset, target) -> {
                            boolean last = offset + target.byteSize() == MEMORY;
                            long written = written(folder);
                            if (when < 0 ? last && written > 0 : written >= when) {
                                fill(folder, left);
                            }
                            return memory.readAvailable(offset, target);
                        })
                .vcpu(RegisterState.builder().set(X86.RIP, 0x1000).build())
                .build();
        return GuestSource.ofFiles(guest, "a guest that fills the disk");
    }

    /** How much of the unfinished core is on the disk. */
    private static long written(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.getFileName().toString().matches("\\.core\\.[0-9a-f]+\\.partial"))
                    .mapToLong(file -> file.toFile().length())
                    .max()
                    .orElse(-1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static synchronized void fill(Path folder, long left) {
        Path filler = folder.resolve("filler");
        if (Files.exists(filler)) {
            return;
        }
        try (FileChannel channel =
                FileChannel.open(filler, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            // The writer goes on meanwhile, so what it still needs is asked for again and again.
            for (int settled = 0; settled < 10;) {
                long keep = left < 0 ? 0 : left + MEMORY - written(folder);
                if (Files.getFileStore(folder).getUsableSpace() > keep) {
                    channel.write(ByteBuffer.allocate(PIECE));
                    settled = 0;
                } else {
                    TimeUnit.MILLISECONDS.sleep(1);
                    settled++;
                }
            }
        } catch (IOException e) {
            // The disk is full, which is what this is for.
            return;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}

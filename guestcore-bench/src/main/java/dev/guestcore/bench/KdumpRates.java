package dev.guestcore.bench;

import com.sun.management.OperatingSystemMXBean;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Guests;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.Progress;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * How fast kdumps are read and written; {@code guestcore-bench/kdump-vs-tools} runs it beside libkdumpfile and makedumpfile.
 *
 * <pre>
 *  read FILE THREADS ROUNDS
 *  write SOURCE COMPRESSION TARGET ROUNDS
 * </pre>
 */
public final class KdumpRates {

    private static final int CHUNK = 1 << 20;
    private static final double NANOS = 1e9;

    private KdumpRates() {}

    /** Runs one of the two. */
    public static void main(String[] arguments) throws IOException, InterruptedException, ExecutionException {
        int rounds = Integer.parseInt(arguments[arguments.length - 1]);
        for (int round = 0; round < rounds; round++) {
            if (arguments[0].equals("read")) {
                read(arguments[1], Integer.parseInt(arguments[2]), round);
            } else {
                write(arguments[1], arguments[2], Path.of(arguments[3]), round);
            }
        }
    }

    private static long processorTime() {
        return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
    }

    private static void read(String file, int threads, int round) throws InterruptedException, ExecutionException {
        long cpu = processorTime();
        long begin = System.nanoTime();
        long bytes = 0;
        try (Guest guest = Guests.open(file); ExecutorService workers = Executors.newFixedThreadPool(threads)) {
            List<Future<Long>> parts = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                int part = i;
                parts.add(workers.submit(() -> readPart(guest.memory(), part, threads)));
            }
            for (Future<Long> part : parts) {
                bytes += part.get();
            }
        }
        report("reading, " + threads + " threads", round, bytes, begin, cpu);
    }

    /** Every so-many-th mebibyte. */
    private static long readPart(GuestMemory memory, int part, int parts) {
        long bytes = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(CHUNK, 4096);
            long chunk = 0;
            for (MemoryRegion region : memory.regions()) {
                long last = region.range().last();
                for (long address = region.range().first(); address <= last; ) {
                    long end = Math.min(last, address + CHUNK - 1);
                    if (chunk++ % parts == part) {
                        bytes += readAll(memory, address, end, buffer);
                    }
                    address = end + 1;
                }
            }
        }
        return bytes;
    }

    private static long readAll(GuestMemory memory, long first, long last, MemorySegment buffer) {
        long bytes = 0;
        for (long address = first; address <= last; ) {
            PageRun run = memory.runAt(address);
            long end = Math.min(run.range().last(), last);
            if (run.state().isReadable()) {
                memory.read(address, buffer.asSlice(0, end - address + 1));
                bytes += end - address + 1;
            }
            address = end + 1;
        }
        return bytes;
    }

    private static void write(String source, String compression, Path target, int round) throws IOException {
        Files.deleteIfExists(target);
        try (Guest guest = Guests.open(source)) {
            long cpu = processorTime();
            long begin = System.nanoTime();
            long bytes = Guests.format("kdump")
                    .writer(Map.of("compression", compression))
                    .write(guest, target, Progress.none())
                    .memoryBytes();
            report("writing " + compression, round, bytes, begin, cpu);
        }
    }

    private static void report(String what, int round, long bytes, long begin, long cpu) {
        double seconds = (System.nanoTime() - begin) / NANOS;
        double processor = (processorTime() - cpu) / NANOS;
        System.out.printf("Guestcore %s, round %d: %.2f GB/s, %.2f GB/s of processor time%n",
                what, round, bytes / seconds / NANOS, bytes / processor / NANOS);
    }
}

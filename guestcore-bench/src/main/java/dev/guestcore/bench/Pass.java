package dev.guestcore.bench;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One pass over some memory: what it took, and what came out.
 *
 * @param nanoseconds by the clock
 * @param cpuNanoseconds of all processors
 * @param checksum of what was read; tells two readers apart only if they made the same kind of pass
 */
record Pass(long nanoseconds, long cpuNanoseconds, long checksum) {

    private static final int PAGE = 4096;
    private static final long SHARE = 1 << 20;
    private static final ValueLayout.OfLong WORD = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Reads all of it in one thread, {@code chunk} bytes at a time; goes over every word. */
    static Pass full(GuestMemory memory, List<AddressRange> ranges, int chunk) {
        return inThread(() -> {
            long sum = 0;
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment buffer = arena.allocate(chunk, PAGE);
                for (AddressRange range : ranges) {
                    for (long done = 0; done < range.size(); done += chunk) {
                        MemorySegment target = buffer.asSlice(0, Math.min(chunk, range.size() - done));
                        memory.read(range.first() + done, target);
                        for (long at = 0; at < target.byteSize(); at += Long.BYTES) {
                            sum = sum * 31 + target.get(WORD, at);
                        }
                    }
                }
            }
            return sum;
        });
    }

    /**
     * Reads all of a guest, {@code chunk} bytes at a time, looking at the first word of each page only, and closes it: what a
     * reader leaves to its closing belongs to its reading.
     */
    static Pass touch(Guest guest, List<AddressRange> ranges, int chunk, int threads) {
        AtomicLong next = new AtomicLong();
        if (threads == 1) {
            return inThread(() -> {
                long sum = touchShares(guest.memory(), ranges, chunk, next);
                guest.close();
                return sum;
            });
        }
        try (ExecutorService executor = Executors.newFixedThreadPool(threads)) {
            long begin = System.nanoTime();
            List<Future<Pass>> shares = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                shares.add(executor.submit(() -> inThread(() -> touchShares(guest.memory(), ranges, chunk, next))));
            }
            long cpu = 0;
            long sum = 0;
            for (Future<Pass> share : shares) {
                Pass pass = await(share);
                cpu += pass.cpuNanoseconds;
                sum += pass.checksum;
            }
            cpu += inThread(() -> {
                guest.close();
                return 0;
            }).cpuNanoseconds;
            return new Pass(System.nanoTime() - begin, cpu, sum);
        }
    }

    private static Pass await(Future<Pass> future) {
        try {
            return future.get();
        } catch (InterruptedException | ExecutionException e) {
            throw new IllegalStateException(e);
        }
    }

    private static long touchShares(GuestMemory memory, List<AddressRange> ranges, int chunk, AtomicLong next) {
        long sum = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment buffer = arena.allocate(chunk, PAGE).fill((byte) 1);
            while (true) {
                long offset = next.getAndAdd(SHARE);
                int i = 0;
                while (i < ranges.size() && offset >= ranges.get(i).size()) {
                    offset -= ranges.get(i).size();
                    i++;
                }
                if (i == ranges.size()) {
                    return sum;
                }
                long end = Math.min(offset + SHARE, ranges.get(i).size());
                for (; offset < end; offset += chunk) {
                    MemorySegment target = buffer.asSlice(0, Math.min(chunk, end - offset));
                    memory.read(ranges.get(i).first() + offset, target);
                    for (long at = 0; at < target.byteSize(); at += PAGE) {
                        sum += target.get(WORD, at);
                    }
                }
            }
        }
    }

    /** Work that gives a checksum. */
    @FunctionalInterface
    interface Work {
        long run();
    }

    /** Runs something that keeps to this thread, and notes what it took. */
    private static Pass inThread(Work work) {
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        long cpu = threads.getCurrentThreadCpuTime();
        long begin = System.nanoTime();
        long checksum = work.run();
        return new Pass(System.nanoTime() - begin, threads.getCurrentThreadCpuTime() - cpu, checksum);
    }

    /** Runs something on any number of threads, and notes what it took; processor time to some ten milliseconds. */
    static Pass timed(Work work) {
        long cpu = processorTime();
        long begin = System.nanoTime();
        long checksum = work.run();
        return new Pass(System.nanoTime() - begin, processorTime() - cpu, checksum);
    }

    private static long processorTime() {
        return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getProcessCpuTime();
    }
}

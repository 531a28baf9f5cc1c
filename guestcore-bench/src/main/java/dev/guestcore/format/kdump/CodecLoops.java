package dev.guestcore.format.kdump;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/** The codecs of kdumps over one page, which stands in the package of the codecs because they are nobody else's. */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@State(Scope.Thread)
public class CodecLoops {

    private static final int PAGE = 4096;

    /** The codec. */
    @Param({"ZLIB", "LZO", "SNAPPY", "ZSTD"})
    public String codec = "ZLIB";

    private final MemorySegment page = Arena.ofAuto().allocate(PAGE, PAGE);
    private MemorySegment compressed = page;
    private MemorySegment target = page;
    private PageCodec.Encoder encoder = PageCodec.ZLIB.encoder();
    private PageCodec.Decoder decoder = PageCodec.ZLIB.decoder();

    /** For JMH. */
    public CodecLoops() {}

    /** Makes a page like a table of a kernel: half of its words are zero, the others pointers close to one another. */
    @Setup
    public void prepare() {
        SplittableRandom random = new SplittableRandom(1);
        for (int at = 0; at < PAGE; at += Long.BYTES) {
            long word = random.nextBoolean() ? 0 : 0xffff888000000000L | random.nextInt(1 << 16) << 6;
            page.set(ValueLayout.JAVA_LONG, at, word);
        }
        encoder = PageCodec.valueOf(codec).encoder();
        decoder = PageCodec.valueOf(codec).decoder();
        target = Arena.ofAuto().allocate(Math.max(PAGE, encoder.bound(PAGE)), PAGE);
        int size = encoder.encode(page, target);
        compressed = Arena.ofAuto().allocate(size, PAGE).copyFrom(target.asSlice(0, size));
    }

    /** One page compressed. */
    @Benchmark
    public int encode() {
        return encoder.encode(page, target);
    }

    /** One page decompressed. */
    @Benchmark
    public boolean decode() {
        return decoder.decode(compressed, target.asSlice(0, PAGE));
    }
}

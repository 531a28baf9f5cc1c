package dev.guestcore.format.kdump;

import dev.guestcore.fuzz.Target;
import dev.guestcore.testing.Patterns;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/** Compressed pages of kdumps. Some codecs work without the virtual machine's checks, so what lies around is watched. */
public final class PageCodecTarget implements Target {

    private static final int PAGE = 4096;
    private static final int GUARD = 256;
    private static final byte MARK = 0x5a;
    private static final PageCodec[] CODECS = {PageCodec.LZO, PageCodec.SNAPPY, PageCodec.ZSTD, PageCodec.ZLIB};

    private final Map<PageCodec, PageCodec.Decoder> decoders = new EnumMap<>(PageCodec.class);
    private final Map<PageCodec, PageCodec.Encoder> encoders = new EnumMap<>(PageCodec.class);
    private final MemorySegment guardedPage = Arena.global().allocate(PAGE + 2 * GUARD);
    private final MemorySegment page = guardedPage.asSlice(GUARD, PAGE);
    private final MemorySegment stored = Arena.global().allocate(4 * PAGE);
    private final MemorySegment guard = Arena.global().allocate(GUARD).fill(MARK);

    /** Makes the codecs. */
    public PageCodecTarget() {
        for (PageCodec codec : CODECS) {
            decoders.put(codec, codec.decoder());
            encoders.put(codec, codec.encoder());
        }
    }

    @Override
    public String name() {
        return "page-codec";
    }

    @Override
    public String title() {
        return "compressed pages";
    }

    /** The first byte chooses codec and direction; the rest is a compressed page, or the start of one to compress. */
    @Override
    public void run(byte[] input) {
        if (input.length == 0) {
            return;
        }
        PageCodec codec = CODECS[input[0] & 3];
        MemorySegment bytes = MemorySegment.ofArray(input).asSlice(1);
        guardedPage.fill(MARK);
        if ((input[0] & 4) == 0) {
            long size = Math.min(bytes.byteSize(), stored.byteSize());
            MemorySegment.copy(bytes, 0, stored, 0, size);
            decoders.get(codec).decode(stored.asSlice(0, size), page);
        } else {
            page.fill((byte) 0);
            MemorySegment.copy(bytes, 0, page, 0, Math.min(bytes.byteSize(), PAGE));
            PageCodec.Encoder encoder = encoders.get(codec);
            int size = encoder.encode(page, stored.asSlice(0, encoder.bound(PAGE)));
            require(size <= encoder.bound(PAGE), codec + " took more than it said: " + size);
            byte[] before = page.toArray(ValueLayout.JAVA_BYTE);
            page.fill(MARK);
            require(decoders.get(codec).decode(stored.asSlice(0, size), page), codec + " cannot read what it wrote");
            require(page.mismatch(MemorySegment.ofArray(before)) < 0, codec + " gives back another page");
        }
        require(
                guardedPage.asSlice(0, GUARD).mismatch(guard) < 0
                        && guardedPage.asSlice(GUARD + PAGE).mismatch(guard) < 0,
                codec + " wrote beside the page");
    }

    private static void require(boolean holds, String broken) {
        if (!holds) {
            throw new AssertionError(broken);
        }
    }

    @Override
    public List<byte[]> seeds() {
        byte[] repeating = new byte[PAGE];
        for (int i = 0; i < PAGE; i++) {
            repeating[i] = (byte) (i % 7 < 3 ? i / 100 : 1);
        }
        List<byte[]> seeds = new ArrayList<>();
        for (int codec = 0; codec < CODECS.length; codec++) {
            for (byte[] content : List.of(new byte[PAGE], repeating, Patterns.bytes(PAGE, 1))) {
                seeds.add(seed(codec | 4, content, 600));
                page.copyFrom(MemorySegment.ofArray(content));
                PageCodec.Encoder encoder = encoders.get(CODECS[codec]);
                int size = encoder.encode(page, stored.asSlice(0, encoder.bound(PAGE)));
                seeds.add(seed(codec, stored.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE), size));
            }
        }
        return seeds;
    }

    private static byte[] seed(int choice, byte[] content, int size) {
        byte[] seed = new byte[size + 1];
        seed[0] = (byte) choice;
        System.arraycopy(content, 0, seed, 1, size);
        return seed;
    }

    @Override
    public int longest() {
        return PAGE + 512;
    }

    @Override
    public int runsInCi() {
        return 50_000;
    }
}

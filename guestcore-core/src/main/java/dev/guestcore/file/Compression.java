package dev.guestcore.file;

import dev.guestcore.internal.spool.Bzip2Streams;
import dev.guestcore.internal.spool.Lz4InputStream;
import dev.guestcore.internal.spool.LzopInputStream;
import dev.guestcore.internal.spool.ZstdFrames;
import dev.guestcore.internal.text.ShellWords;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Locale;
import java.util.function.LongFunction;
import java.util.zip.DataFormatException;
import java.util.zip.GZIPInputStream;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import org.tukaani.xz.XZInputStream;

/** How a file is compressed, told by its first bytes. */
public enum Compression {
    /** Not at all. */
    NONE(""),
    /** RFC 1952. */
    GZIP("1f8b08"),
    /** Of bzip2. */
    BZIP2("425a68"),
    /** Of XZ Utils. */
    XZ("fd377a585a00"),
    /** Of lzop. */
    LZOP("894c5a4f000d0a1a0a"),
    /** RFC 8878. */
    ZSTD("28b52ffd"),
    /** LZ4's frame format. */
    LZ4("04224d18"),
    /** RFC 1950, as LiME writes it; two bytes say too little, so only what is a LiME image inside counts. */
    ZLIB("78");

    /** Room for the dictionaries of presets up to -7, in a heap of 64 MiB. */
    private static final int XZ_MEMORY_KIB = 20 << 10;

    private static final int BUFFER = 1 << 16;

    /** A frame with data for nobody in particular, which zstd and lz4 share; pzstd begins with one. */
    private static final long SKIPPABLE = 0x184d2a50L;

    private static final int SKIPPABLE_HEADER = 8;
    private static final int MOST_SKIPPED = 64;

    private static final String LIME = "EMiL";
    private static final String BIG_ENDIAN_LIME = "LiME";

    private final byte[] magic;

    Compression(String magic) {
        this.magic = HexFormat.of().parseHex(magic);
    }

    /** Name of the program, for messages. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** How a file is compressed. */
    public static Compression of(FileBytes file) {
        long at = 0;
        for (int i = 0; i < MOST_SKIPPED && file.holds(at, SKIPPABLE_HEADER); i++) {
            if ((file.u32(at, ByteOrder.LITTLE_ENDIAN, "magic") & ~0xfL) != SKIPPABLE) {
                break;
            }
            at += SKIPPABLE_HEADER + file.u32(at + 4, ByteOrder.LITTLE_ENDIAN, "size");
        }
        for (Compression compression : values()) {
            boolean skips = compression == ZSTD || compression == LZ4;
            if (compression != NONE && (at == 0 || skips) && compression.begins(file, at)) {
                return compression;
            }
        }
        return NONE;
    }

    private boolean begins(FileBytes file, long offset) {
        if (!file.holds(offset, magic.length)) {
            return false;
        }
        for (int i = 0; i < magic.length; i++) {
            if (file.u8(offset + i, "magic") != (magic[i] & 0xff)) {
                return false;
            }
        }
        return this != ZLIB || isLime(file);
    }

    private static boolean isLime(FileBytes file) {
        Inflater inflater = new Inflater();
        try {
            byte[] first = new byte[LIME.length()];
            inflater.setInput(file.bytes(0, (int) Math.min(BUFFER, file.size()), "first bytes"));
            inflater.inflate(first);
            String begin = new String(first, StandardCharsets.ISO_8859_1);
            return begin.equals(LIME) || begin.equals(BIG_ENDIAN_LIME);
        } catch (DataFormatException e) {
            return false;
        } finally {
            inflater.end();
        }
    }

    /**
     * The decompressed bytes. What a damaged stream makes the libraries throw is left to {@link DecompressingChannel}.
     *
     * @param stored gives the compressed bytes from an offset on
     */
    InputStream open(LongFunction<InputStream> stored) throws IOException {
        return switch (this) {
            case NONE -> stored.apply(0);
            case GZIP -> new GZIPInputStream(stored.apply(0), BUFFER);
            case BZIP2 -> new Bzip2Streams(stored);
            case XZ -> new XZInputStream(stored.apply(0), XZ_MEMORY_KIB);
            case LZOP -> new LzopInputStream(stored.apply(0));
            case ZSTD -> new ZstdFrames(stored);
            case LZ4 -> new Lz4InputStream(stored.apply(0));
            case ZLIB -> new InflaterInputStream(stored.apply(0));
        };
    }

    /**
     * A command that decompresses.
     *
     * @param file its name
     * @param offset where the compressed data begin
     */
    String command(String file, long offset) {
        String tool = switch (this) {
            case ZSTD -> "zstd -dc --long=31";
            case ZLIB -> "zlib-flate -uncompress";
            default -> label() + " -dc";
        };
        String name = ShellWords.quoted(file);
        return (offset == 0 ? tool + " < " + name : "tail -c +" + (offset + 1) + " " + name + " | " + tool)
                + " > vm.dump";
    }
}

package dev.guestcore.format.vmstate;

import dev.guestcore.format.FileBytes;
import io.airlift.compress.v3.bzip2.BZip2HadoopStreams;
import io.airlift.compress.v3.zstd.ZstdInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.GZIPInputStream;
import org.tukaani.xz.XZInputStream;

/** How a stream is compressed. The order is that of the numbers in libvirt's save images. */
enum Wrapping {
    NONE(""),
    GZIP("1f8b08"),
    BZIP2("425a68"),
    XZ("fd377a585a00"),
    LZOP("894c5a4f000d0a1a0a"),
    ZSTD("28b52ffd");

    /** Room for the dictionaries of presets up to -7, in a heap of 64 MiB. */
    private static final int XZ_MEMORY_KIB = 20 << 10;

    private static final int GZIP_BUFFER = 1 << 16;

    private final byte[] magic;

    Wrapping(String magic) {
        this.magic = HexFormat.of().parseHex(magic);
    }

    String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The compression whose magic stands at an offset; none if there is no known one. */
    static Wrapping at(FileBytes file, long offset) {
        for (Wrapping wrapping : values()) {
            if (wrapping != NONE && wrapping.begins(file, offset)) {
                return wrapping;
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
        return true;
    }

    /** The compression that libvirt's header names by number. */
    static Optional<Wrapping> ofNumber(long number) {
        return number >= 0 && number < values().length ? Optional.of(values()[(int) number]) : Optional.empty();
    }

    /**
     * The decompressed bytes. What a damaged stream makes the libraries throw is left to {@link StreamChannel}.
     */
    InputStream open(InputStream stored) throws IOException {
        return switch (this) {
            case NONE -> stored;
            case GZIP -> new GZIPInputStream(stored, GZIP_BUFFER);
            case BZIP2 -> new BZip2HadoopStreams().createInputStream(stored);
            case XZ -> new XZInputStream(stored, XZ_MEMORY_KIB);
            case LZOP -> new LzopInputStream(stored);
            case ZSTD -> new ZstdInputStream(stored);
        };
    }

    /** A command that takes the compression away. */
    String remedy() {
        return label() + " -d";
    }
}

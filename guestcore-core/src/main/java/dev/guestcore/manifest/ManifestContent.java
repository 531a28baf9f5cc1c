package dev.guestcore.manifest;

import dev.guestcore.MemoryRegion;
import dev.guestcore.internal.ranges.Extents;
import java.nio.file.Path;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * A manifest, read and found free of contradictions.
 *
 * @param fileName name of the core without its folder
 * @param fileSize its size in bytes
 * @param fileSha256 its digest, hexadecimal
 * @param fileFormat short name of its format
 * @param written when the manifest was made, after the last byte of the core; absent if it does not say
 * @param companions files beside it
 * @param otherForm whether some memory lies in it in another form
 * @param regions memory regions with content
 * @param memory pieces of memory that are not zero
 * @param file pieces of the file without memory that are not zero
 * @param segments which bytes of the file are memory: file offsets, and beside each the address of its first byte
 */
record ManifestContent(
        String fileName,
        long fileSize,
        String fileSha256,
        String fileFormat,
        Optional<Instant> written,
        List<Companion> companions,
        boolean otherForm,
        RegionTable regions,
        PieceTable memory,
        PieceTable file,
        Extents segments) {

    /** A file beside the core. */
    record Companion(String name, long size, String sha256) {}

    /**
     * Reads a manifest.
     *
     * @throws dev.guestcore.error.MalformedDumpException if it is damaged
     * @throws dev.guestcore.error.SourceException if it cannot be read
     */
    public static ManifestContent read(Path path) {
        return new ManifestReader(path).read();
    }

    /** How many memory regions with content there are. */
    public long regionCount() {
        return regions.ranges().count();
    }

    /** A memory region by its number in the order of addresses. */
    public MemoryRegion region(long index) {
        return regions.region(index);
    }

    /** SHA-256 of a region, hexadecimal. */
    public String regionSha256(long index) {
        return HexFormat.of().formatHex(memory.regionDigest(regions.ranges(), index));
    }
}

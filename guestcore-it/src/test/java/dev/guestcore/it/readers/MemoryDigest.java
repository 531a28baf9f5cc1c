package dev.guestcore.it.readers;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Collectors;

/**
 * The content of a piece of memory, in few bytes.
 *
 * @param address of its first byte
 * @param length in bytes
 * @param sha256 of its content, hexadecimal
 */
record MemoryDigest(long address, long length, String sha256) {

    private static final int CHUNK = 1 << 20;

    /** All memory that has content, in pieces of at most 1 MiB. */
    static List<MemoryDigest> of(GuestMemory memory) {
        List<MemoryDigest> digests = new ArrayList<>();
        byte[] chunk = new byte[CHUNK];
        for (MemoryRegion region : memory.regions()) {
            long size = region.range().size();
            for (long done = 0; region.hasContent() && done < size; done += CHUNK) {
                int length = (int) Math.min(CHUNK, size - done);
                long address = region.range().first() + done;
                memory.read(address, MemorySegment.ofArray(chunk).asSlice(0, length));
                digests.add(new MemoryDigest(address, length, sha256(chunk, length)));
            }
        }
        return digests;
    }

    /** The same pieces of another memory. */
    static List<MemoryDigest> of(GuestMemory memory, List<MemoryDigest> pieces) {
        byte[] chunk = new byte[CHUNK];
        return pieces.stream()
                .map(piece -> {
                    memory.read(piece.address, MemorySegment.ofArray(chunk).asSlice(0, piece.length));
                    return new MemoryDigest(piece.address, piece.length, sha256(chunk, (int) piece.length));
                })
                .toList();
    }

    private static String sha256(byte[] bytes, int length) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            digest.update(bytes, 0, length);
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** The pieces as a question to another reader: a line each, address and length. */
    static String question(List<MemoryDigest> digests) {
        return digests.stream()
                .map(digest -> digest.address + " " + digest.length + "\n")
                .collect(Collectors.joining());
    }

    /** The pieces as the other reader has to answer: a line each, address, length and digest. */
    static String answer(List<MemoryDigest> digests) {
        return digests.stream()
                .map(digest -> digest.address + " " + digest.length + " " + digest.sha256 + "\n")
                .collect(Collectors.joining());
    }
}

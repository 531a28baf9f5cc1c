package dev.guestcore.manifest;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

/** The end of a manifest: the digest of everything before it, which tells accidents, not attackers. */
final class SelfDigest {

    private static final String BEFORE = ",\n  \"before\": \"";
    private static final String BEHIND = "\"\n}\n";
    private static final int SIZE = BEFORE.length() + 2 * Sha256.SIZE + BEHIND.length();
    private static final int CHUNK = 1 << 16;

    private SelfDigest() {}

    static String end(byte[] digest) {
        return BEFORE + HexFormat.of().formatHex(digest) + BEHIND;
    }

    /** Whether a file ends as one that nothing has happened to. */
    static boolean isWhole(Path path) {
        try (WrittenFile file = new WrittenFile(path)) {
            long size = file.size() - SIZE;
            if (size < 0) {
                return false;
            }
            MessageDigest sha = Sha256.begin();
            byte[] buffer = new byte[CHUNK];
            MemorySegment target = MemorySegment.ofArray(buffer);
            for (long offset = 0; offset < size;) {
                int count = (int) file.read(offset, target.asSlice(0, Math.min(CHUNK, size - offset)));
                sha.update(buffer, 0, count);
                offset += count;
            }
            file.read(size, target.asSlice(0, SIZE));
            return end(sha.digest()).equals(new String(buffer, 0, SIZE, StandardCharsets.ISO_8859_1));
        }
    }
}

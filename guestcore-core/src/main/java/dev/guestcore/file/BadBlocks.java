package dev.guestcore.file;

import dev.guestcore.Finding;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.text.Amounts;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentSkipListSet;

/** Which blocks of a file its disk failed to give, as far as anybody tried. Thread-safe. */
final class BadBlocks {

    /** What is lost with one error. */
    static final int BLOCK = 4096;

    private static final int SHIFT = Integer.numberOfTrailingZeros(BLOCK);

    /** A file with more of them is on a disk that is gone, or to be rescued by other means. */
    private static final int MOST = 1 << 14;

    private static final int MOST_FINDINGS = 20;

    private final String name;
    private final ConcurrentSkipListSet<Long> blocks = new ConcurrentSkipListSet<>();
    private volatile String reason = "";

    BadBlocks(String name) {
        this.name = name;
    }

    boolean isEmpty() {
        return reason.isEmpty();
    }

    /** Notes that the block of this offset cannot be read. */
    void add(long offset, String why) {
        blocks.add(offset >> SHIFT);
        reason = why;
        if (blocks.size() > MOST) {
            throw new SourceException(name + ": more than " + MOST + " blocks cannot be read (" + why
                    + "); copy what can be read to another disk first, for example with ddrescue");
        }
    }

    /** How many bytes from {@code offset} on, at most {@code limit}, lie before the next bad block; 0 in one. */
    long readableFrom(long offset, long limit) {
        if (isEmpty()) {
            return limit;
        }
        Long next = blocks.ceiling(offset >> SHIFT);
        return next == null ? limit : Math.clamp((next << SHIFT) - offset, 0, limit);
    }

    /** How many bytes from {@code offset} on, at most {@code limit}, lie in bad blocks. */
    long unreadableFrom(long offset, long limit) {
        long block = offset >> SHIFT;
        while ((block << SHIFT) - offset < limit && blocks.contains(block)) {
            block++;
        }
        return Math.clamp((block << SHIFT) - offset, 0, limit);
    }

    /** The error of a read that meets a bad block. */
    SourceException failure(long offset) {
        return new SourceException(name + ": reading at offset 0x" + Long.toHexString(offset) + " failed: " + reason
                + "; copy what can be read to another disk, for example with ddrescue");
    }

    /** What to tell of them. */
    List<Finding> findings() {
        List<Finding> findings = new ArrayList<>();
        long first = -1;
        long end = -1;
        int runs = 0;
        for (long block : blocks) {
            if (block != end) {
                tell(findings, first, end);
                first = block;
                runs++;
            }
            end = block + 1;
        }
        tell(findings, first, end);
        if (runs > MOST_FINDINGS) {
            findings.add(Finding.damage(name + ": " + Amounts.counted(
                    runs - MOST_FINDINGS, "more place cannot be read", "more places cannot be read")));
        }
        return findings;
    }

    private void tell(List<Finding> findings, long first, long end) {
        if (first >= 0 && findings.size() < MOST_FINDINGS) {
            findings.add(Finding.damage(name + ": " + (end - first << SHIFT) + " bytes at offset 0x"
                    + Long.toHexString(first << SHIFT) + " cannot be read: " + reason));
        }
    }
}

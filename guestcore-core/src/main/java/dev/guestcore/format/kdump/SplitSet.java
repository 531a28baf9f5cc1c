package dev.guestcore.format.kdump;

import dev.guestcore.Finding;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Whether the files of a split set agree: all have the same bitmaps, and each page is in one of them.
 *
 * @param files the files, in the order in which they were named
 * @param headers their headers
 * @param parts what each holds, by page frame; of several that hold a page the first is shown
 * @param stored pages that have a descriptor
 * @param regions runs of pages that exist
 */
record SplitSet(
        List<FileBytes> files,
        List<KdumpHeader> headers,
        List<KdumpMemory.Part> parts,
        PageBitmap stored,
        Extents regions) {

    /** In every finding about files that contradict each other. */
    static final String CONTRADICTION = "contradict each other";

    /** In every finding about pages that two files hold. */
    static final String TWICE = "hold the same pages";

    private static final int CHUNK = 64 << 10;

    /** Says where files contradict each other, or hold the same pages. */
    void report(CappedFindings findings, long mostCompared) {
        for (int i = 1; i < files.size(); i++) {
            if (!sameBitmaps(headers.getFirst(), files.getFirst(), headers.get(i), files.get(i))) {
                findings.add(
                        Finding.damage("the bitmaps of " + files.getFirst().name() + " and " + files.get(i).name() + " "
                                + CONTRADICTION
                                + "; those of the first are used, and pages of the other may be shown elsewhere"));
            }
        }
        int shown = 0;
        for (int i = 1; i < parts.size(); i++) {
            KdumpMemory.Part before = parts.get(shown);
            KdumpMemory.Part part = parts.get(i);
            long end = Math.min(part.endPfn(), before.endPfn());
            if (part.firstPfn() < end) {
                findings.add(overlap(before, part, end, mostCompared));
            }
            shown = part.endPfn() > before.endPfn() ? i : shown;
        }
    }

    private Finding overlap(KdumpMemory.Part before, KdumpMemory.Part part, long end, long mostCompared) {
        int shift = Integer.numberOfTrailingZeros(headers.getFirst().blockSize());
        KdumpMemory first = new KdumpMemory(headers.getFirst(), List.of(before), stored, regions);
        KdumpMemory second = new KdumpMemory(headers.getFirst(), List.of(part), stored, regions);
        SecondCopies copies = new SecondCopies(mostCompared, Long.MAX_VALUE);
        for (long pfn = stored.next(part.firstPfn(), true, end); pfn < end;) {
            long behind = stored.next(pfn, false, end);
            long address = pfn << shift;
            copies.compare(address, behind - pfn << shift, first::readAvailable, address, second::readAvailable,
                    address);
            pfn = stored.next(behind, true, end);
        }
        String names = before.file().name() + " and " + part.file().name();
        String frames = "page frames " + part.firstPfn() + " to " + (end - 1);
        if (copies.differing() > 0) {
            return Finding.damage(names + " " + CONTRADICTION + " about " + frames + ": " + copies.contradiction()
                    + "; that of the first file is shown");
        }
        return Finding.note(names + " " + TWICE + ", " + frames
                + "; is one of them named twice, or part of another set?");
    }

    private static boolean sameBitmaps(KdumpHeader one, FileBytes oneFile, KdumpHeader other, FileBytes otherFile) {
        if (one.hasOneBitmap() != other.hasOneBitmap()) {
            return false;
        }
        // The few bits behind the last page are the same as well where one program wrote all files.
        long bytes = one.pageCount() + Byte.SIZE - 1 >>> 3;
        for (int bitmap = 0; bitmap < (one.hasOneBitmap() ? 1 : 2); bitmap++) {
            if (!same(oneFile, one.bitmapOffset() + bitmap * one.bitmapSize(), otherFile,
                    other.bitmapOffset() + bitmap * other.bitmapSize(), bytes)) {
                return false;
            }
        }
        return true;
    }

    private static boolean same(FileBytes one, long oneAt, FileBytes other, long otherAt, long size) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment left = arena.allocate(CHUNK);
            MemorySegment right = arena.allocate(CHUNK);
            for (long done = 0; done < size; done += CHUNK) {
                long wanted = Math.min(CHUNK, size - done);
                long read = one.read(oneAt + done, left.asSlice(0, wanted));
                if (other.read(otherAt + done, right.asSlice(0, wanted)) != read
                        || MemorySegment.mismatch(left, 0, read, right, 0, read) >= 0) {
                    return false;
                }
            }
            return true;
        }
    }
}

package dev.guestcore.internal.migration;

import dev.guestcore.error.MalformedDumpException;
import java.util.HashSet;
import java.util.Set;

/**
 * Sections of a live save that say nothing about memory or registers, but where they end: Proxmox's state of a backup server,
 * bitmaps of what changed on disks, and which pages s390x guests use. Sources: pve-qemu's patch for "pbs-state"; QEMU's
 * migration/block-dirty-bitmap.c and hw/s390x/s390-stattrib.c.
 *
 * <pre>
 * pbs-state     u64 length, bytes
 * dirty-bitmap  chunks up to one with flag 01: flags (1, 2 or 4 bytes, by 80 in the first and in the second); if 08 u8 length
 *               and name of a device; if 04 of a bitmap; then if 10 u32 granularity, u8; else if 40 u64 first sector, u32
 *               sectors, and without 02 u64 length, bytes
 * s390-storage_attributes
 *               u64 words, flags in the low 12 bits: 02 u64 length, bytes; 08 and 04 nothing; 01 nothing, and the part ends
 * </pre>
 */
final class SkippedSections {

    private static final String BACKUP_STATE = "pbs-state";
    private static final String DIRTY_BITMAP = "dirty-bitmap";

    private static final String STORAGE_ATTRIBUTES = "s390-storage_attributes";
    private static final int END_OF_PART = 0x01;
    private static final int ATTRIBUTES = 0x02;

    private static final int LAST_CHUNK = 0x01;
    private static final int ZEROES = 0x02;
    private static final int BITMAP_NAME = 0x04;
    private static final int DEVICE_NAME = 0x08;
    private static final int START = 0x10;
    private static final int BITS = 0x40;
    private static final int MORE_FLAGS = 0x80;

    private final Set<Integer> bitmapSections = new HashSet<>();
    private final Set<Integer> attributeSections = new HashSet<>();

    /** Skips the data of a section that begins, if it is of a kind that can be skipped. */
    boolean skipStart(StreamBuffer in, String title, int section) {
        switch (title) {
            case BACKUP_STATE -> skip(in, "state of a backup server");
            case DIRTY_BITMAP -> {
                bitmapSections.add(section);
                skipChunks(in);
            }
            case STORAGE_ATTRIBUTES -> {
                attributeSections.add(section);
                skipAttributes(in);
            }
            default -> {
                return false;
            }
        }
        return true;
    }

    /** Skips the data of a part of a section, if that is of such a kind. */
    boolean skipPart(StreamBuffer in, int section) {
        if (attributeSections.contains(section)) {
            skipAttributes(in);
            return true;
        }
        if (!bitmapSections.contains(section)) {
            return false;
        }
        skipChunks(in);
        return true;
    }

    private static void skipChunks(StreamBuffer in) {
        int flags;
        do {
            flags = in.u8("flags of a dirty bitmap");
            if ((flags & MORE_FLAGS) != 0 && (in.u8("flags of a dirty bitmap") & MORE_FLAGS) != 0) {
                in.u16("flags of a dirty bitmap");
            }
            if ((flags & DEVICE_NAME) != 0) {
                in.skip(in.u8("length of a name"), "name of a device");
            }
            if ((flags & BITMAP_NAME) != 0) {
                in.skip(in.u8("length of a name"), "name of a bitmap");
            }
            if ((flags & START) != 0) {
                in.skip(5, "beginning of a dirty bitmap");
            } else if ((flags & BITS) != 0) {
                in.skip(12, "place of a dirty bitmap");
                if ((flags & ZEROES) == 0) {
                    skip(in, "dirty bitmap");
                }
            }
        } while ((flags & LAST_CHUNK) == 0);
    }

    private static void skipAttributes(StreamBuffer in) {
        long flags;
        do {
            flags = in.i64("storage attributes") & 0xfff;
            if (flags == ATTRIBUTES) {
                skip(in, "storage attributes");
            }
        } while (flags != END_OF_PART);
    }

    /** @throws MalformedDumpException if the length passes the end of the stream */
    private static void skip(StreamBuffer in, String what) {
        long length = in.i64("length of a " + what);
        if (length < 0) {
            throw in.malformed("length of a " + what, "at most 2^63 - 1", Long.toUnsignedString(length),
                    "the stream is damaged before this place");
        }
        in.skipAll(length, what);
    }
}

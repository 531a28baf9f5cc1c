package dev.guestcore.format.kdump;

import dev.guestcore.Finding;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.ranges.FileUse;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Whether descriptors, bitmap and pages of one file fit each other. Writers put the first page right behind the descriptors
 * and the others in their order, give one place to several pages only if those are zero, and leave no byte unused.
 */
final class PagePlaces {

    /** Reading so many descriptors takes a few hundredths of a second. */
    static final long MOST_AT_OPENING = 1 << 18;

    /** Places out of order that are remembered; a whole file has one, the zero page's. */
    private static final int MOST_JUMPS = 4096;

    private static final long LARGEST_LOOK = 1 << 20;
    private static final int MOST_LOOKS = 256;
    private static final long TABLES = 1;
    private static final long PAGES = 2;
    private static final long ALONE = 3;

    private final DescriptorTable table;
    private final Map<Long, Jump> jumps = new HashMap<>();
    private final FileUse use;
    private long next = -1;
    private long afterJump = -1;
    private long lastJump = -1;
    private int looks;
    private String room = "";
    private String shared = "";
    private String unused = "";
    private String beyond = "";

    private static final class Jump {
        private final long size;
        private final long flags;
        private long uses;
        private long first;
        private long second;

        Jump(long size, long flags) {
            this.size = size;
            this.flags = flags;
        }
    }

    private PagePlaces(DescriptorTable table, Arena scratch) {
        this.table = table;
        this.use = new FileUse(scratch);
    }

    /** Looks at what stands behind the last descriptor alone. */
    static PagePlaces ofEnd(DescriptorTable table) {
        try (Arena scratch = Arena.ofConfined()) {
            PagePlaces places = new PagePlaces(table, scratch);
            places.lookBehind();
            return places;
        }
    }

    /** Looks at all descriptors of a file. */
    static PagePlaces of(DescriptorTable table, KdumpNotes notes) {
        try (Arena scratch = Arena.ofConfined()) {
            PagePlaces places = new PagePlaces(table, scratch);
            places.lookBehind();
            places.addTables(notes);
            table.visit(0, table.count(), places::visit);
            places.lookAtShared();
            places.lookAtUse();
            return places;
        }
    }

    /**
     * One bit of the bitmap too few, and every page behind it belongs to the frame before: then there is one descriptor
     * more than the bitmap has pages.
     */
    private void lookBehind() {
        long end = table.end();
        if (table.count() == 0 || !table.file().holds(end, KdumpLayout.DESCRIPTOR)) {
            return;
        }
        long[] lowest = {Long.MAX_VALUE};
        long some = Math.min(table.count(), 256);
        table.visit(0, some, (index, place, size, flags) -> lowest[0] = Math.min(lowest[0], place));
        table.visit(table.count(), table.count() + 1, (index, place, size, flags) -> {
            // Room for it there must be, and its page is the last of the file or lies where pages do.
            if (lowest[0] >= end + KdumpLayout.DESCRIPTOR
                    && table.isPlausible(place, size, flags, end + KdumpLayout.DESCRIPTOR)) {
                room = "there is a page descriptor at offset 0x" + Long.toHexString(end) + ", after the "
                        + table.count() + " for which the bitmap has pages";
            }
        });
    }

    private void addTables(KdumpNotes notes) {
        KdumpHeader header = table.header();
        use.add(0, header.descriptorsOffset(), TABLES);
        use.add(header.descriptorsOffset(), table.count() * KdumpLayout.DESCRIPTOR, TABLES);
        // makedumpfile copies the notes, not the records that they are about: then pages lie there.
        FileBytes file = table.file();
        Stream.concat(
                notes.place(KdumpNotes.KEEP_TYPE).filter(place -> KeepRecord.isAt(file, place.offset())).stream(),
                notes.place(BesideMemory.NOTE_TYPE)
                        .filter(place -> BesideMemory.isAt(file, place.offset()))
                        .stream())
                .filter(place -> place.offset() >= table.end())
                .forEach(place -> use.add(place.offset(), place.size(), TABLES));
        header.eraseInfo()
                .filter(place -> place.offset() >= table.end())
                .ifPresent(place -> use.add(place.offset(), place.size(), TABLES));
    }

    private void visit(long index, long place, long size, long flags) {
        if (place == next) {
            next += size;
            use.add(place, size, PAGES);
            return;
        }
        if (place == afterJump) {
            next = afterJump + size;
            use.add(place, size, PAGES);
            return;
        }
        if (place == lastJump) {
            return;
        }
        lastJump = place;
        afterJump = place + size;
        next = next < 0 ? afterJump : next;
        if (jumps.size() < MOST_JUMPS) {
            jumps.putIfAbsent(place, new Jump(size, flags));
        } else {
            use.add(place, size, PAGES);
        }
    }

    private void lookAtShared() {
        if (jumps.isEmpty()) {
            return;
        }
        table.visit(0, table.count(), (index, place, size, flags) -> {
            Jump jump = jumps.get(place);
            if (jump != null) {
                jump.first = jump.uses == 0 ? index : jump.first;
                jump.second = jump.uses == 1 ? index : jump.second;
                jump.uses++;
            }
        });
        // A place of its own that lies across other pages is none; one that is shared as it is may be right.
        jumps.forEach((place, jump) -> use.add(place, jump.size, jump.uses == 1 ? ALONE : PAGES));
        long[] wrong = {0};
        jumps.entrySet().stream()
                .filter(entry -> entry.getValue().uses > 1 && !isZero(entry.getKey(), entry.getValue()))
                .sorted(Map.Entry.comparingByKey())
                .forEach(entry -> {
                    Jump jump = entry.getValue();
                    if (wrong[0]++ == 0) {
                        shared = "page descriptors " + jump.first + " and " + jump.second
                                + " name the same page at offset 0x"
                                + Long.toHexString(entry.getKey()) + ", and it is not zero";
                    }
                });
        if (wrong[0] > 1) {
            shared += ", the first of " + wrong[0] + " such places";
        }
    }

    private boolean isZero(long place, Jump jump) {
        int pageSize = table.header().blockSize();
        Optional<PageCodec> codec = PageCodec.ofFlags(jump.flags);
        if (codec.isEmpty() || jump.size == 0 || jump.size > pageSize || !table.file().holds(place, jump.size)) {
            return true; // Other rules speak of such a page.
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(jump.size);
            MemorySegment page = arena.allocate(pageSize);
            return table.file().read(place, source) < jump.size
                    || !codec.get().decoder().decode(source, page)
                    || page.mismatch(arena.allocate(pageSize)) < 0;
        }
    }

    private void lookAtUse() {
        FileUse.Result result = use.result(table.file().size(), (offset, size, mark) -> isZero(offset, size));
        if (result.overlaps() > 0) {
            boolean tables = result.overlappedMark() == TABLES || result.overlapMark() == TABLES;
            beyond = "the data of a page at offset 0x" + Long.toHexString(result.overlapAt())
                    + (tables ? " lie within headers or descriptors" : " lie across those of other pages");
        }
        // A zero page that no page refers to is written by some, and files may be padded at their end.
        if (result.gaps() > 0 && !(result.gaps() == 1 && isZeroPage(result.gapAt(), result.gapBytes()))) {
            unused = result.gapBytes() + " bytes, from offset 0x" + Long.toHexString(result.gapAt()) + " on"
                    + (result.gaps() == 1 ? "" : " in " + result.gaps() + " places");
        }
    }

    private boolean isZero(long offset, long size) {
        return size <= LARGEST_LOOK && looks++ < MOST_LOOKS && isZero(table.file(), offset, size);
    }

    private static boolean isZero(FileBytes file, long offset, long size) {
        return Arrays.mismatch(file.bytes(offset, (int) size, "bytes between pages"), new byte[(int) size]) < 0;
    }

    /** Whether bytes are the zero page in the file's compression; QEMU writes it even if no page is zero. */
    private boolean isZeroPage(long offset, long size) {
        if (size > table.header().blockSize()) {
            return isZero(table.file(), offset, Math.min(size, LARGEST_LOOK)) && size <= LARGEST_LOOK;
        }
        for (PageCodec codec : PageCodec.values()) {
            if (isZero(offset, new Jump(size, codec.flag())) && decodes(codec, offset, size)) {
                return true;
            }
        }
        return false;
    }

    private boolean decodes(PageCodec codec, long offset, long size) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment source = arena.allocate(size);
            MemorySegment page = arena.allocate(table.header().blockSize());
            return table.file().read(offset, source) == size && codec.decoder().decode(source, page);
        }
    }

    /** A descriptor more than the bitmap has pages; empty if there is none. */
    String room() {
        return room;
    }

    /** Two pages at one place that is not zero; empty if there are none. */
    String shared() {
        return shared;
    }

    /** Bytes behind the tables that belong to no page; empty if there are none. */
    String unused() {
        return unused;
    }

    /** Pages within the tables; empty if there are none. */
    String beyond() {
        return beyond;
    }

    /** Whether a finding is one of these. */
    boolean tells(String message) {
        return Stream.of(room, shared, beyond).anyMatch(told -> !told.isEmpty() && message.contains(told));
    }

    /** Whether pages share a place by mistake: the place where one of them was is left over. */
    boolean isShareWrong() {
        return !shared.isEmpty() && !unused.isEmpty();
    }

    /** Says what is wrong, for a reader. */
    void report(CappedFindings findings) {
        String name = table.file().name() + ": ";
        if (!room.isEmpty()) {
            findings.add(Finding.damage(name + room
                    + "; a bit of the second bitmap is lost, and pages above it are shown one page too low"));
        }
        if (!beyond.isEmpty()) {
            findings.add(Finding
                    .damage(name + beyond + "; the second bitmap has a bit too many, or a descriptor is damaged"));
        }
        if (!shared.isEmpty()) {
            String what = name + shared;
            findings.add(isShareWrong()
                    ? Finding.damage(what + ", while nothing refers to " + unused
                            + "; one descriptor is wrong, and both frames show the same page")
                    : Finding.note(what + "; both frames show it"));
        } else if (!unused.isEmpty() && room.isEmpty()) {
            findings.add(Finding.note(name + "nothing refers to " + unused + " of its pages; descriptors may be lost"));
        }
    }
}

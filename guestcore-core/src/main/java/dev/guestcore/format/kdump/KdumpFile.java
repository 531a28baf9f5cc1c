package dev.guestcore.format.kdump;

import dev.guestcore.Architecture;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.Provenance;
import dev.guestcore.format.FileBytes;
import dev.guestcore.internal.memory.Extents;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** Opens one kdump or a split set of them. */
final class KdumpFile {

    /** Pages of a guest with 128 TiB; the tables of a larger one would not fit beside it. */
    private static final long MOST_PAGES = 1L << 35;

    private KdumpFile() {}

    static Guest open(List<FileBytes> files) {
        List<KdumpHeader> headers = files.stream().map(KdumpHeader::read).toList();
        FileBytes file = files.getFirst();
        KdumpHeader header = headers.getFirst();
        if (header.pageCount() > MOST_PAGES) {
            throw file.malformed(
                    header.layout().maxMapNumber,
                    "max_mapnr",
                    "at most " + MOST_PAGES + " pages",
                    Long.toString(header.pageCount()),
                    "the header is damaged");
        }
        Arena arena = Arena.ofShared();
        try {
            List<Finding> findings = new ArrayList<>();
            files.forEach(part -> findings.addAll(part.findings()));
            boolean oneBitmap = header.descriptorsOffset() - header.bitmapOffset() == header.bitmapSize();
            PageBitmap exists =
                    new PageBitmap(file, header.bitmapOffset(), header.bitmapSize(), header.pageCount(), arena);
            PageBitmap stored = oneBitmap
                    ? exists
                    : new PageBitmap(
                            file,
                            header.bitmapOffset() + header.bitmapSize(),
                            header.bitmapSize(),
                            header.pageCount(),
                            arena);
            List<KdumpMemory.Part> parts = parts(files, headers, stored, findings);
            KdumpMemory memory = new KdumpMemory(header, parts, stored, regions(header, exists, stored, arena));
            GuestBuilder builder = Guest.builder()
                    .architecture(Architecture.X86)
                    .provenance(new Provenance(
                            file.name(),
                            "kdump",
                            "version " + header.version() + (file.isFlattened() ? ", flattened" : ""),
                            Optional.empty(),
                            Optional.empty(),
                            Optional.empty()))
                    .findings(findings)
                    .onClose(() -> {
                        arena.close();
                        files.forEach(FileBytes::close);
                    });
            return builder.build(memory);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    private static List<KdumpMemory.Part> parts(
            List<FileBytes> files, List<KdumpHeader> headers, PageBitmap stored, List<Finding> findings) {
        List<KdumpMemory.Part> parts = new ArrayList<>();
        long covered = 0;
        for (int i = 0; i < files.size(); i++) {
            KdumpHeader header = headers.get(i);
            KdumpHeader.Split range = header.split().orElse(new KdumpHeader.Split(0, header.pageCount()));
            long first = Math.clamp(range.firstPfn(), 0, stored.pageCount());
            long end = Math.clamp(range.endPfn(), first, stored.pageCount());
            long firstRank = stored.rank(first);
            long count = stored.rank(end) - firstRank;
            covered += count;
            FileBytes file = files.get(i);
            parts.add(new KdumpMemory.Part(file, header.descriptorsOffset(), first, end, firstRank));
            if (!file.holds(header.descriptorsOffset(), count * KdumpLayout.DESCRIPTOR)) {
                findings.add(Finding.damage(file.name() + ": the descriptors of " + count
                        + " pages should begin at offset 0x" + Long.toHexString(header.descriptorsOffset())
                        + ", but the file has only " + file.size() + " bytes: it is cut short, the last pages are lost"));
            }
        }
        parts.sort(Comparator.comparingLong(KdumpMemory.Part::firstPfn));
        if (covered < stored.total()) {
            findings.add(Finding.damage(files.getFirst().name() + ": holds " + covered + " of " + stored.total()
                    + " pages of a split set; name the other files too, separated by commas"));
        }
        return parts;
    }

    private static Extents regions(KdumpHeader header, PageBitmap exists, PageBitmap stored, Arena arena) {
        int shift = Integer.numberOfTrailingZeros(header.blockSize());
        Extents.Builder regions = new Extents.Builder(arena);
        long end = header.pageCount();
        long page = 0;
        while (page < end) {
            // A page that is stored exists, whatever the first bitmap says.
            long first = Math.min(exists.next(page, true, end), stored.next(page, true, end));
            if (first >= end) {
                break;
            }
            long behind = first;
            while (behind < end && (exists.get(behind) || stored.get(behind))) {
                behind = Math.max(exists.next(behind, false, end), stored.next(behind, false, end));
            }
            regions.add(first << shift, (behind << shift) - 1, 0);
            page = behind;
        }
        return regions.build();
    }
}

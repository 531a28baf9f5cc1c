package dev.guestcore.format.kdump;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.keep.KeepRecord;
import dev.guestcore.internal.ranges.Extents;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** One kdump or a split set of them, its tables read. */
final class KdumpFile {

    /** Pages of a guest with 128 TiB; the tables of a larger one would not fit beside it. */
    private static final long MOST_PAGES = 1L << 35;

    /** A machine has a handful of ranges; each costs 24 bytes outside the heap. */
    private static final long MOST_REGIONS = 1L << 21;

    private final List<FileBytes> files;
    private final List<KdumpHeader> headers;
    private final KdumpNotes notes;
    private final PageBitmap exists;
    private final PageBitmap stored;
    private final KdumpMemory pages;
    private final GuestMemory memory;
    private long missingPages;

    private KdumpFile(List<FileBytes> files, Arena arena, CappedFindings findings, long mostCompared) {
        this.files = List.copyOf(files);
        this.headers = files.stream().map(file -> KdumpHeader.read(file, findings)).toList();
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
        requireOneSet(findings);
        files.forEach(part -> findings.addAll(part.findings()));
        this.exists = new PageBitmap(file, header.bitmapOffset(), header.bitmapSize(), header.pageCount(), arena);
        this.stored = header.hasOneBitmap()
                ? exists
                : new PageBitmap(
                        file,
                        header.bitmapOffset() + header.bitmapSize(),
                        header.bitmapSize(),
                        header.pageCount(),
                        arena);
        this.notes = KdumpNotes.read(file, header, findings);
        Extents regions = regions(arena);
        List<KdumpMemory.Part> parts = parts(findings);
        this.pages = new KdumpMemory(header, parts, stored, regions);
        new SplitSet(files, headers, parts, stored, regions).report(findings, mostCompared);
        this.memory = BesideMemory.over(pages, file, notes, arena, findings);
        note(findings);
    }

    /** Opens the files as one guest. */
    static Guest open(List<FileBytes> files) {
        Arena arena = Arena.ofShared();
        try {
            CappedFindings findings = new CappedFindings();
            KdumpFile kdump = new KdumpFile(files, arena, findings, SecondCopies.AT_OPENING);
            GuestBuilder builder = kdump.guest(findings);
            builder.laterFindings(() -> files.stream()
                    .flatMap(file -> file.readFailures().stream())
                    .toList());
            builder.byteOrder(kdump.header().order());
            builder.onClose(() -> {
                Arenas.close(arena);
                files.forEach(FileBytes::close);
            });
            return kdump.restored(builder);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** With Guestcore's own record, if the file has one, the guest is what it was before it became a kdump. */
    private Guest restored(GuestBuilder builder) {
        Guest guest = builder.build(memory);
        Optional<KdumpHeader.Place> record = notes.place(KdumpNotes.KEEP_TYPE);
        if (record.isEmpty()) {
            return guest;
        }
        if (!KeepRecord.isAt(files.getFirst(), record.get().offset())) {
            // makedumpfile copies the note into a file that it filters, but not what the note is about.
            return builder
                    .findings(List.of(Finding.note(files.getFirst().name() + ": the record that Guestcore had kept is"
                            + " lost, because another program rewrote the file")))
                    .build(memory);
        }
        try {
            return KeepRecord.restore(
                    guest, files.getFirst(), record.get().offset(), record.get().size());
        } catch (MalformedDumpException e) {
            return builder.findings(List.of(Finding.damage(e))).build(memory);
        }
    }

    /**
     * Reads the tables of one file or a split set; nothing of them may be used after {@code arena} is closed.
     *
     * @param mostCompared how many bytes of pages that two files hold may be read to compare them
     */
    static KdumpFile read(List<FileBytes> files, Arena arena, CappedFindings findings, long mostCompared) {
        return new KdumpFile(files, arena, findings, mostCompared);
    }

    /** How many stored pages are in files of the set that were not named. */
    long missingPages() {
        return missingPages;
    }

    KdumpHeader header() {
        return headers.getFirst();
    }

    KdumpNotes notes() {
        return notes;
    }

    PageBitmap exists() {
        return exists;
    }

    PageBitmap stored() {
        return stored;
    }

    KdumpMemory pages() {
        return pages;
    }

    /** The descriptors of file {@code index}. */
    DescriptorTable descriptors(int index) {
        FileBytes file = files.get(index);
        KdumpMemory.Part part = pages.parts().stream()
                .filter(candidate -> candidate.file() == file)
                .findFirst()
                .orElseThrow();
        return new DescriptorTable(file, headers.get(index), stored.rank(part.endPfn()) - part.firstRank());
    }

    GuestMemory memory() {
        return memory;
    }

    private void requireOneSet(CappedFindings findings) {
        KdumpHeader first = headers.getFirst();
        for (int i = 1; i < headers.size(); i++) {
            KdumpHeader other = headers.get(i);
            boolean agrees = other.order() == first.order()
                    && other.layout() == first.layout()
                    && other.blockSize() == first.blockSize()
                    && other.pageCount() == first.pageCount()
                    && other.utsname().equals(first.utsname());
            if (!agrees) {
                throw files.get(i)
                        .malformed(
                                0,
                                "header",
                                "that of " + files.getFirst().name(),
                                "one of another dump",
                                "name the files of one split set only");
            }
            if (!other.takenAt().equals(first.takenAt())) {
                findings.add(Finding.note(files.get(i).name() + ": the header has another time than that of "
                        + files.getFirst().name() + ", " + time(other) + " and " + time(first)
                        + "; if they are of two dumps, the memory is of none"));
            }
        }
    }

    private static String time(KdumpHeader header) {
        return header.takenAt().map(Object::toString).orElse("none");
    }

    private GuestBuilder guest(CappedFindings findings) {
        KdumpHeader header = header();
        String names = String.join(",", files.stream().map(FileBytes::name).toList());
        GuestBuilder builder = Guest.builder()
                .architecture(family())
                .provenance(new Provenance(
                        files.size() == 1 ? names : SplitParts.SCHEME + ":" + names,
                        KdumpFormat.NAME,
                        layout(header),
                        Optional.empty(),
                        Optional.empty(),
                        header.takenAt()))
                .findings(findings.list())
                .facts(new ElfFacts(
                        notes.machine(),
                        0,
                        header.layout().word * Byte.SIZE,
                        header.order() == ByteOrder.BIG_ENDIAN,
                        false,
                        notes.foreign()));
        notes.vmcoreInfo().ifPresent(builder::facts);
        notes.notes().vcpus().forEach(vcpu -> builder.vcpu(vcpu.index(), vcpu.registers(), vcpu.rawContexts()));
        return builder;
    }

    private Architecture family() {
        return Architectures.ofElf(notes.machine(), header().layout().word * Byte.SIZE);
    }

    private String layout(KdumpHeader header) {
        StringBuilder layout = new StringBuilder("version " + header.version());
        if (header.layout() != KdumpLayout.BITS_64) {
            layout.append(", 32-bit");
        }
        if (header.order() == ByteOrder.BIG_ENDIAN) {
            layout.append(", big-endian");
        }
        if (header.dumpLevel() != 0) {
            layout.append(", dump level ").append(header.dumpLevel());
        }
        if (!header.release().isEmpty()) {
            layout.append(", kernel ").append(header.release());
        }
        if (files.size() > 1) {
            layout.append(", ").append(files.size()).append(" parts");
        }
        if (files.getFirst().isFlattened()) {
            layout.append(", flattened");
        }
        return layout.toString();
    }

    private void note(CappedFindings findings) {
        KdumpHeader header = header();
        FileBytes file = files.getFirst();
        if (!header.namesKernel()) {
            findings.add(Finding.note(file.name() + ": the header does not name the kernel, as in all files of QEMU;"
                    + " crash and makedumpfile refuse that"
                    + (family().linuxName(header.order()).isPresent()
                            ? ", and writing it as a kdump again fills it in for a Linux guest"
                            : "")));
        }
        OptionalLong base = notes.physicalBase();
        if (base.isPresent() && base.getAsLong() != header.physicalBase()) {
            findings.add(Finding.note(file.name() + ": the sub-header says phys_base 0x"
                    + Long.toHexString(header.physicalBase()) + ", the kernel itself 0x"
                    + Long.toHexString(base.getAsLong()) + " (VMCOREINFO); the kernel is right"));
        }
        if ((header.status() & KdumpLayout.STATUS_INCOMPLETE) != 0) {
            findings.add(Finding.damage(file.name() + ": the header says that the dump is incomplete: the disk was full"
                    + " when makedumpfile wrote it"));
        }
    }

    private List<KdumpMemory.Part> parts(CappedFindings findings) {
        List<KdumpMemory.Part> parts = new ArrayList<>();
        for (int i = 0; i < files.size(); i++) {
            KdumpHeader header = headers.get(i);
            KdumpHeader.Split range = header.split().orElse(new KdumpHeader.Split(0, header.pageCount()));
            long first = Math.clamp(range.firstPfn(), 0, stored.pageCount());
            long end = Math.clamp(range.endPfn(), first, stored.pageCount());
            FileBytes file = files.get(i);
            long firstRank = stored.rank(first);
            long count = stored.rank(end) - firstRank;
            long whole = Math.clamp(
                    (file.size() - header.descriptorsOffset()) / KdumpLayout.DESCRIPTOR, 0, count);
            long wholeEnd = whole == count ? end : stored.select(firstRank + whole);
            parts.add(new KdumpMemory.Part(file, header.descriptorsOffset(), first, end, firstRank, wholeEnd));
            if (whole < count) {
                findings.damage(file.malformed(
                        header.descriptorsOffset(),
                        "page descriptors",
                        count + " of them",
                        whole + " up to the end of the file",
                        "the file is cut short; the other pages are lost"));
            } else {
                DescriptorTable table = new DescriptorTable(file, header, count);
                checkData(table, findings);
                PagePlaces places = count <= PagePlaces.MOST_AT_OPENING
                        ? PagePlaces.of(table, notes)
                        : PagePlaces.ofEnd(table);
                places.report(findings);
            }
        }
        parts.sort(Comparator.comparingLong(KdumpMemory.Part::firstPfn));
        long covered = 0;
        long behind = 0;
        for (KdumpMemory.Part part : parts) {
            long first = Math.max(part.firstPfn(), behind);
            if (part.endPfn() > first) {
                covered += stored.rank(part.endPfn()) - stored.rank(first);
                behind = part.endPfn();
            }
        }
        missingPages = stored.total() - covered;
        if (missingPages > 0) {
            findings.add(Finding.damage(files.getFirst().name() + ": " + covered + " of " + stored.total()
                    + " pages of a split set are here; open all its files together: " + SplitParts.SCHEME
                    + ":FILE,FILE,..."));
        }
        return parts;
    }

    /** Writers put pages into the file in their order: if one of the last lies behind its end, it was cut short. */
    private static void checkData(DescriptorTable table, CappedFindings findings) {
        FileBytes file = table.file();
        boolean[] told = {false};
        table.visit(Math.max(0, table.count() - 64), table.count(), (index, place, size, flags) -> {
            if (told[0] || table.isPlausible(place, size, flags, table.end())) {
                return;
            }
            told[0] = true;
            boolean cut = place >= table.end() && size <= table.header().blockSize() && !file.holds(place, size);
            findings.damage(file.malformed(
                    table.at(index),
                    "page descriptor " + index,
                    "a page after the descriptors in the file of " + file.size() + " bytes",
                    size + " bytes at 0x" + Long.toHexString(place) + ", flags 0x" + Long.toHexString(flags),
                    cut ? "the file is cut short; the last pages are lost"
                            : "the second bitmap has a bit too many, or descriptors are damaged"));
        });
    }

    private Extents regions(Arena arena) {
        KdumpHeader header = header();
        int shift = Integer.numberOfTrailingZeros(header.blockSize());
        Extents.Builder regions = new Extents.Builder(arena);
        long end = header.pageCount();
        long existing = exists.next(0, true, end);
        long storing = stored.next(0, true, end);
        // A page that is stored exists, whatever the first bitmap says.
        for (long first = Math.min(existing, storing); first < end; first = Math.min(existing, storing)) {
            long behind = first;
            while (behind < end && (exists.get(behind) || stored.get(behind))) {
                behind = Math.max(exists.next(behind, false, end), stored.next(behind, false, end));
            }
            if (regions.count() == MOST_REGIONS) {
                throw files.getFirst()
                        .malformed(
                                header.bitmapOffset(),
                                "bitmap of pages that exist",
                                "at most " + MOST_REGIONS + " separate ranges",
                                "more",
                                "the bitmap is damaged");
            }
            regions.add(first << shift, (behind << shift) - 1, 0);
            // Each bitmap is gone over once, however far its next bit is.
            existing = existing < behind ? exists.next(behind, true, end) : existing;
            storing = storing < behind ? stored.next(behind, true, end) : storing;
        }
        return regions.build();
    }
}

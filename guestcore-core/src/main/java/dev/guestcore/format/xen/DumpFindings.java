package dev.guestcore.format.xen;

import dev.guestcore.Finding;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.xen.DumpFile.Section;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.text.Amounts;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * What is unusual or damaged in a dump-core, in the words of {@code info}: its sections, notes and frame table, and how they fit
 * together. What they mean is the reader's.
 */
final class DumpFindings {

    /** A longer gap is not looked into. */
    private static final long MOST_GAP = 1 << 20;
    /** Sorting so many entries takes a few hundredths of a second; verify sorts any number. */
    private static final long MOST_AT_OPENING = 1 << 18;

    private final DumpReader reader;
    private final DumpFile dump;
    private final FileBytes file;
    private final List<Finding> findings;

    /**
     * Of one dump.
     *
     * @param findings takes what is found
     */
    DumpFindings(DumpReader reader, DumpFile dump, List<Finding> findings) {
        this.reader = reader;
        this.dump = dump;
        this.file = dump.file();
        this.findings = findings;
    }

    void lookAtSections() {
        if (!dump.isNamed()) {
            findings.add(Finding.damage("at offset 0x" + Long.toHexString(dump.elf().sectionHeaderOffset())
                    + ": the string table, the last thing written, is not in the file of " + file.size()
                    + " bytes: the dump was not finished; sections are told apart by order, size and type"));
        }
        for (Section section : dump.sections()) {
            boolean first = dump.section(section.name()).orElseThrow().equals(section);
            if (!first && !section.name().isEmpty()) {
                findings.add(Finding.omitted("section " + section.index() + " is a second " + section.name()
                        + " and is not read"));
            }
            if (!section.name().isEmpty()
                    && !DumpFile.KNOWN.contains(section.name())
                    && !section.name().equals(DumpFile.KEEP)) {
                findings.add(Finding.omitted("section " + section.index() + " '" + section.name()
                        + "' is none of the format's and is not read"));
            }
            boolean reported = section.name().equals(DumpFile.NAMES) && !dump.isNamed();
            if (first && section.header().type() != Elf.SHT_NULL && !section.isWhole(file) && !reported) {
                findings.add(Finding.damage("at offset 0x" + Long.toHexString(section.offset()) + ": " + label(section)
                        + ": expected " + Long.toUnsignedString(section.size()) + " bytes, found "
                        + section.stored(file) + " before the end of the file" + consequence(section)));
            }
        }
        if (dump.section(DumpFile.P2M).isPresent() && dump.section(DumpFile.PFN).isPresent()) {
            findings.add(Finding.damage(
                    "expected one frame table, found both .xen_p2m and .xen_pfn; .xen_p2m is used"));
        }
        if (dump.section(DumpFile.PAGES).isEmpty()) {
            findings.add(Finding.damage("section .xen_pages: expected one, found none; there is no memory"));
        } else if (dump.table().isEmpty()) {
            findings.add(Finding.damage("frame table .xen_p2m or .xen_pfn: expected one, found none; "
                    + reader.storedPages() + " pages are there without addresses"));
        }
        Optional<Section> shared = dump.section(DumpFile.SHARED_INFO);
        if (shared.isPresent() && shared.get().size() != reader.pageSize()) {
            findings.add(Finding.damage("at offset 0x" + Long.toHexString(shared.get().headerOffset())
                    + ": .xen_shared_info: expected one page of " + reader.pageSize() + " bytes, found "
                    + Long.toUnsignedString(shared.get().size()) + "; no more than a page is read"));
        }
        checkTail();
    }

    /**
     * What is wrong with where the sections lie. Xen writes them one behind the other; before the pages, and behind the
     * frame table of a dump that has it first, it leaves zeros up to the next page.
     */
    List<Finding> places() {
        List<Section> byOffset = dump.sections().stream()
                .filter(section -> section.header().type() != Elf.SHT_NULL && section.size() > 0
                        && section.isWhole(file))
                .sorted(Comparator.comparingLong(Section::offset))
                .toList();
        List<Finding> wrong = new ArrayList<>();
        long end = dump.elf().sectionHeaderOffset() + (long) dump.sections().size() * dump.elf().sectionHeaderSize();
        String before = "the section headers";
        for (Section section : byOffset) {
            long gap = section.offset() - end;
            if (gap < 0) {
                wrong.add(Finding.damage("at offset 0x" + Long.toHexString(section.offset()) + ": " + label(section)
                        + ": begins within " + before + ", which ends at 0x" + Long.toHexString(end)
                        + "; one of the two has the wrong place, and its content is wrong"));
            } else if (gap > 0 && !isPadding(end, gap, section.offset())) {
                boolean zero = gap <= MOST_GAP && isZero(end, gap);
                String message =
                        "at offset 0x" + Long.toHexString(end) + ": a gap of " + gap + " bytes between " + before
                                + " and " + label(section) + ", which Xen never leaves";
                wrong.add(zero
                        ? Finding.note(message)
                        : Finding.damage(message + "; nothing refers to what lies there, and the content of "
                                + label(section) + " may be shifted"));
            }
            if (section.end() > end) {
                end = section.end();
                before = label(section);
            }
        }
        return wrong;
    }

    private boolean isPadding(long offset, long size, long next) {
        return next % reader.pageSize() == 0 && size < reader.pageSize() && isZero(offset, size);
    }

    private boolean isZero(long offset, long size) {
        int length = (int) size;
        return Arrays.mismatch(file.bytes(offset, length, "bytes between sections"), new byte[length]) < 0;
    }

    private static String label(Section section) {
        return section.name().isEmpty() ? "section " + section.index() : section.name();
    }

    private String consequence(Section section) {
        return switch (section.name()) {
            case DumpFile.PAGES -> "; " + (reader.pageCount() - reader.storedPages()) + " of " + reader.pageCount()
                    + " pages are missing";
            case DumpFile.P2M, DumpFile.PFN -> section.stored(file) / reader.tableEntry() == 0
                    ? "; " + reader.storedPages() + " pages are there without addresses, so there is no memory"
                    : "; the pages after entry " + section.stored(file) / reader.tableEntry() + " have no addresses";
            case DumpFile.PRSTATUS -> "; vCPUs are missing";
            case DumpFile.SHARED_INFO -> "; it is lost";
            default -> "";
        };
    }

    private void checkTail() {
        long end = dump.sections().stream()
                .filter(section -> section.isWhole(file))
                .max(Comparator.comparingLong(Section::end))
                .map(Section::end)
                .orElse(file.size());
        if (dump.isNamed() && end < file.size()) {
            findings.add(Finding.note("at offset 0x" + Long.toHexString(end) + ": " + (file.size() - end)
                    + " bytes after the last section belong to nothing (tools before Xen 3.4 did not cut off an"
                    + " older file)"));
        }
    }

    void lookAtNotes() {
        if (reader.notes().isEmpty()) {
            findings.add(Finding.damage("section .note.Xen: expected four notes, found none; version and counts are"
                    + " unknown"));
            return;
        }
        XenNotes all = reader.notes().get();
        all.problem().ifPresent(problem -> findings.add(Finding.damage(problem)));
        if (all.header().isEmpty()) {
            findings.add(Finding.damage("note HEADER of .note.Xen: expected one of 32 bytes, found none; counts are"
                    + " taken from the sections"));
        } else {
            lookAtHeader(all.header().get());
        }
        if (all.version().isEmpty()) {
            findings.add(Finding.note("note XEN_VERSION of .note.Xen: expected one of 1276 or 1280 bytes, found none;"
                    + " the hypervisor's version is unknown"));
        }
        if (all.formatVersion().isEmpty()) {
            findings.add(Finding.note("note FORMAT_VERSION of .note.Xen: expected one, found none; 0.1 is assumed"));
        }
    }

    private void lookAtHeader(XenNotes.Header header) {
        String at = "at offset 0x" + Long.toHexString(header.offset()) + ": ";
        if (header.magic() != XenNotes.MAGIC_PV && header.magic() != XenNotes.MAGIC_HVM) {
            findings.add(Finding.damage(at + "xch_magic: expected 0xf00febed or 0xf00febee, found 0x"
                    + Long.toHexString(header.magic()) + "; the frame table tells what kind of guest it is"));
        } else if (reader.isX86() && dump.table().isPresent()
                && (reader.magic() == XenNotes.MAGIC_PV) != reader.isParavirtualized()) {
            findings.add(
                    Finding.note(at + "xch_magic 0x" + Long.toHexString(reader.magic()) + " does not fit the table "
                            + dump.table().get().name() + "; the table is used"));
        }
        if (!XenNotes.isPageSize(header.pageSize())) {
            findings.add(Finding.damage(at + "xch_page_size: expected 4096 or another page size, found "
                    + Long.toUnsignedString(header.pageSize()) + "; " + reader.pageSize() + " is assumed"));
        }
        compare(at + "xch_nr_vcpus", header.vcpus(), DumpFile.PRSTATUS, reader.declaredVcpus());
        compare(at + "xch_nr_pages", header.pages(), DumpFile.PAGES, reader.pageCount());
        if (Long.compareUnsigned(reader.tableCount(), DumpReader.MOST_PAGES) > 0) {
            findings.add(Finding.damage("expected at most 2^32 entries of the frame table, found "
                    + Long.toUnsignedString(reader.tableCount()) + "; the rest is not read"));
        }
        dump.table().ifPresent(table -> {
            if (reader.tableCount() != reader.pageCount()) {
                findings.add(Finding.damage("at offset 0x" + Long.toHexString(table.headerOffset()) + ": "
                        + table.name() + ": expected " + Long.toUnsignedString(reader.pageCount())
                        + " entries, one a page, found " + Long.toUnsignedString(reader.tableCount())
                        + "; the smaller number is read"));
            }
        });
    }

    private void compare(String field, long noted, String section, long counted) {
        if (noted != counted && dump.section(section).isPresent()) {
            findings.add(Finding.damage(field + ": expected " + Long.toUnsignedString(counted) + " as in " + section
                    + ", found " + Long.toUnsignedString(noted) + "; the section is used"));
        }
    }

    void lookAtFrames(FrameIndex index) {
        if (index.firstDescent() >= 0) {
            findings.add(Finding.note("entry " + index.firstDescent() + " of the frame table is lower than the one"
                    + " before it (so were dumps before 9 March 2007); crash needs them ascending"));
        }
        if (index.invalidInside()) {
            findings.add(Finding.omitted("entry " + index.firstInvalid()
                    + " of the frame table is invalid though valid ones follow; it is left out"));
        }
        if (index.duplicates() > 0) {
            findings.add(Finding.damage(entries(index.duplicates(), index.firstDuplicate())
                    + " a frame that has an earlier entry; the first is used"));
        }
        if (index.outOfRange() > 0) {
            findings.add(Finding.damage(entries(index.outOfRange(), index.firstOutOfRange())
                    + " a frame beyond 64-bit addresses; "
                    + (index.outOfRange() == 1 ? "its page is left out" : "their pages are left out")));
        }
        lookAtOutliers();
    }

    private static String entries(long count, long first) {
        return count == 1
                ? "entry " + first + " of the frame table names"
                : Amounts.count(count) + " entries of the frame table, the first of them entry " + first + ", name";
    }

    /** Single entries that are damaged, and machine frames that two entries name. */
    private void lookAtOutliers() {
        FrameTable table = reader.frameTable();
        FrameOutliers outliers = FrameOutliers.of(table, Long.numberOfTrailingZeros(reader.pageSize()));
        if (outliers.strangers() > 0) {
            findings.add(Finding.damage(entries(outliers.strangers(), outliers.firstStranger())
                    + " a frame that is not between those of the neighbouring entries: expected 0x"
                    + Long.toHexString(outliers.expected()) + ", found 0x" + Long.toHexString(outliers.found())
                    + "; the table is damaged, and memory is shown at wrong addresses"));
        }
        if (outliers.beyond() > 0) {
            findings.add(Finding.damage(entries(outliers.beyond(), outliers.firstBeyond())
                    + " a machine frame beyond 2^52 bytes, which no processor addresses"));
        }
        if (table.hasMachineFrames() && table.size() <= MOST_AT_OPENING) {
            try (Arena scratch = Arena.ofConfined()) {
                FrameIndex machine = reader.frameIndex(true, scratch);
                if (machine.duplicates() > 0) {
                    findings.add(Finding.damage(entries(machine.duplicates(), machine.firstDuplicate())
                            + " a machine frame that has another entry; the first is used"));
                }
            }
        }
    }
}

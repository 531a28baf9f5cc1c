package dev.guestcore.format.kdump;

import dev.guestcore.Finding;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.CheckList;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/** Checks one file or a split set against the rules of docs/formats/kdump.md. */
final class KdumpVerifier {

    private final List<FileBytes> files;
    private final boolean deep;
    private final Progress progress;
    private final CheckList checks = new CheckList("docs/formats/kdump.md");

    KdumpVerifier(List<FileBytes> files, boolean deep, Progress progress) {
        this.files = files;
        this.deep = deep;
        this.progress = progress;
    }

    List<Check> run() {
        Optional<FileBytes> other = files.stream().filter(part -> !KdumpHeader.isKdump(part)).findFirst();
        checks.check(other.isEmpty(), "kdump-01", "begins with the signature", 0, "KDUMP and three blanks",
                other.map(part -> "something else" + of(part)).orElse("so"), "no reader accepts it");
        if (other.isPresent()) {
            checks.skip("kdump-02", "all other rules", "this is no kdump");
            return checks.list();
        }
        try (Arena arena = Arena.ofShared()) {
            CappedFindings findings = new CappedFindings();
            KdumpFile kdump = KdumpFile.read(files, arena, findings, deep ? Long.MAX_VALUE : SecondCopies.AT_OPENING);
            header(kdump);
            List<PagePlaces> places = new ArrayList<>();
            for (int i = 0; i < files.size(); i++) {
                places.add(PagePlaces.of(kdump.descriptors(i), kdump.notes()));
            }
            places(findings, places);
            pages(kdump, places);
            notes(kdump);
            if (deep) {
                checks.readAll("kdump-16", kdump.memory(), progress);
            } else {
                checks.skip("kdump-16", "every page decompresses to a page", "needs a deep check");
            }
            if (files.size() > 1) {
                set(findings);
            }
        } catch (MalformedDumpException e) {
            checks.check(false, "kdump-02", "header and bitmaps can be read", e.offset(), "", e.getMessage(),
                    "no reader accepts it");
        }
        return checks.list();
    }

    /** Names a file of several. */
    private String of(FileBytes part) {
        return files.size() == 1 ? "" : " in " + part.name();
    }

    /** What only a set of files can break. */
    private void set(CappedFindings findings) {
        Optional<Finding> contradiction = findings.list().stream()
                .filter(finding -> finding.message().contains(SplitSet.CONTRADICTION))
                .findFirst();
        checks.check(contradiction.isEmpty(), "kdump-20", "files of the set do not contradict each other", 0, "so",
                contradiction.map(Finding::message).orElse("so"), "readers differ in which file they believe");
        Optional<Finding> twice = findings.list().stream()
                .filter(finding -> finding.message().contains(SplitSet.TWICE))
                .findFirst();
        checks.usual(twice.isEmpty(), "kdump-21", "each page is in one file of the set", 0, "so",
                twice.map(Finding::message).orElse("so"), "");
    }

    private void header(KdumpFile kdump) {
        KdumpHeader header = kdump.header();
        KdumpLayout layout = header.layout();
        checks.pass("kdump-02", "header and bitmaps can be read", "version " + header.version() + ", "
                + header.pageCount() + " pages of " + header.blockSize() + " bytes");
        checks.usual(header.namesKernel(), "kdump-03",
                "system, node, release, version and machine are in the header", KdumpLayout.UTSNAME, "five strings",
                String.join(", ", header.utsname()).isBlank() ? "none" : header.utsname().toString(),
                "crash and makedumpfile refuse the file; QEMU writes the machine only");
        checks.usual(header.version() >= 6, "kdump-04", "header_version is 6", KdumpLayout.HEADER_VERSION, "6",
                Integer.toString(header.version()), "older versions cannot count pages above 16 TiB");
        checks.check((header.status() & KdumpLayout.STATUS_INCOMPLETE) == 0, "kdump-05",
                "the writer says that the dump is complete", layout.status, "status without 0x8",
                "0x" + Long.toHexString(header.status()), "crash warns; pages are missing");
        checks.usual(!header.hasOneBitmap(), "kdump-06", "there are two bitmaps", header.bitmapOffset(), "two",
                header.hasOneBitmap() ? "one" : "two", "then no page is excluded; only old kernels wrote such files");
        boolean whole = header.split().isEmpty() || kdump.missingPages() == 0;
        checks.usual(whole, "kdump-07", "all pages are here", (long) header.blockSize() + layout.split,
                "split 0, or all files of the set",
                header.split().isEmpty() ? "split 0"
                        : kdump.missingPages() == 0 ? files.size() + " files"
                                : kdump.missingPages() + " pages are missing",
                "readers need all files of the split set");
    }

    private void places(CappedFindings findings, List<PagePlaces> places) {
        List<Finding> damage = findings.list().stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .filter(finding -> !finding.message().contains("split set")
                        && !finding.message().contains(SplitSet.CONTRADICTION)
                        && places.stream().noneMatch(part -> part.tells(finding.message())))
                .toList();
        checks.check(damage.isEmpty(), "kdump-08", "notes, descriptors and pages lie in the file", 0, "so",
                damage.isEmpty() ? "so" : damage.getFirst().message(),
                "readers give errors, or zeros, for those pages");
    }

    private void pages(KdumpFile kdump, List<PagePlaces> places) {
        KdumpHeader header = kdump.header();
        PageBitmap exists = kdump.exists();
        PageBitmap stored = kdump.stored();
        checks.check(exists.total() > 0, "kdump-09", "there is memory", header.bitmapOffset(), "pages",
                exists.total() + " pages", "no reader finds anything");
        long strange = firstStoredOnly(exists, stored);
        checks.check(strange < 0, "kdump-10", "every page that is stored exists", header.bitmapOffset(), "so",
                strange < 0 ? "so" : "page frame " + strange + " does not", "readers disagree about such a page");
        Verdict codec = new Verdict();
        Verdict size = new Verdict();
        Verdict place = new Verdict();
        Verdict fits = new Verdict();
        Verdict shared = new Verdict();
        Verdict sharedOddly = new Verdict();
        Verdict unused = new Verdict();
        for (int i = 0; i < files.size(); i++) {
            DescriptorTable table = kdump.descriptors(i);
            DescriptorChecks descriptors = new DescriptorChecks(table);
            descriptors.run();
            String of = of(table.file());
            codec.take(descriptors.codecAt(), "0x" + Long.toHexString(descriptors.codec()) + of);
            size.take(descriptors.sizeAt(), descriptors.size() + " bytes" + of);
            place.take(descriptors.placeAt(), "offset 0x" + Long.toHexString(descriptors.place()) + of);
            PagePlaces part = places.get(i);
            String room = part.room().isEmpty() ? part.beyond() : part.room();
            fits.take(room.isEmpty() ? -1 : table.end(), room + of);
            (part.isShareWrong() ? shared : sharedOddly).take(part.shared().isEmpty() ? -1 : table.at(0),
                    part.shared() + of);
            unused.take(part.unused().isEmpty() ? -1 : table.end(), "nothing refers to " + part.unused() + of);
        }
        codec.check("kdump-11", "every descriptor names one known compression", "0, 0x1, 0x2, 0x4 or 0x20",
                "readers give errors for that page");
        size.check("kdump-12", "every page takes at least one byte and at most a page", "1 to " + header.blockSize()
                + " bytes",
                "readers give errors for that page");
        place.check("kdump-13", "every page lies in the file after the descriptors", "so",
                "readers give errors for that page");
        fits.check("kdump-17", "there are as many descriptors as pages in the bitmap", "as many",
                "readers show wrong pages");
        Verdict sharing = shared.at >= 0 ? shared : sharedOddly;
        String rule = "pages that share a place in the file are zero";
        if (sharing == shared || sharing.at < 0) {
            sharing.check("kdump-18", rule, "so", "readers show one page at both frames");
        } else {
            checks.usual(false, "kdump-18", rule, sharing.at, "so", sharing.found, "");
        }
        checks.usual(unused.at < 0, "kdump-19", "every byte after the descriptors belongs to a page",
                Math.max(0, unused.at), "so", unused.found, "");
    }

    /** The first of several files that breaks a rule. */
    private final class Verdict {

        private long at = -1;
        private String found = "so";

        void take(long brokenAt, String what) {
            if (at < 0 && brokenAt >= 0) {
                at = brokenAt;
                found = what;
            }
        }

        void check(String id, String rule, String expected, String readers) {
            checks.check(at < 0, id, rule, Math.max(0, at), expected, found, readers);
        }
    }

    private static long firstStoredOnly(PageBitmap exists, PageBitmap stored) {
        long end = stored.pageCount();
        long page = stored.next(0, true, end);
        while (page < end) {
            long missing = exists.next(page, false, end);
            page = stored.next(missing, true, end);
            if (page == missing && page < end) {
                return page;
            }
        }
        return -1;
    }

    private void notes(KdumpFile kdump) {
        KdumpHeader header = kdump.header();
        KdumpNotes notes = kdump.notes();
        checks.usual(notes.notes().statusCount() > 0, "kdump-14", "there is an NT_PRSTATUS for each vCPU",
                header.notes().map(KdumpHeader.Place::offset).orElse(0L), "at least one",
                Integer.toString(notes.notes().statusCount()), "crash shows no registers");
        OptionalLong base = notes.physicalBase();
        checks.usual(notes.vmcoreInfo().isPresent() && base.orElse(header.physicalBase()) == header.physicalBase(),
                "kdump-15", "there is VMCOREINFO, and phys_base of the sub-header agrees with it",
                (long) header.blockSize() + header.layout().physicalBase,
                base.isPresent() ? "0x" + Long.toHexString(base.getAsLong()) : "VMCOREINFO",
                notes.vmcoreInfo().isPresent() ? "0x" + Long.toHexString(header.physicalBase()) : "no VMCOREINFO",
                "makedumpfile and drgn need VMCOREINFO; crash may need -m phys_base");
    }
}

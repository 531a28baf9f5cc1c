package dev.guestcore.format.kdump;

import dev.guestcore.Finding;
import dev.guestcore.MalformedDumpException;
import dev.guestcore.Progress;
import dev.guestcore.format.Check;
import dev.guestcore.format.FileBytes;
import dev.guestcore.internal.CappedFindings;
import dev.guestcore.internal.CheckList;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.Optional;

/** Tries the rules of docs/formats/kdump.md on one file. */
final class KdumpVerifier {

    private final FileBytes file;
    private final boolean deep;
    private final Progress progress;
    private final CheckList checks = new CheckList("docs/formats/kdump.md");

    KdumpVerifier(FileBytes file, boolean deep, Progress progress) {
        this.file = file;
        this.deep = deep;
        this.progress = progress;
    }

    List<Check> run() {
        checks.check(KdumpHeader.isKdump(file), "kdump-01", "begins with the signature", 0, "KDUMP and three blanks",
                KdumpHeader.isKdump(file) ? "so" : "something else", "no reader takes it");
        if (!KdumpHeader.isKdump(file)) {
            checks.skip("kdump-02", "all other rules", "this is no kdump");
            return checks.list();
        }
        try (Arena arena = Arena.ofShared()) {
            CappedFindings findings = new CappedFindings();
            KdumpFile kdump = KdumpFile.read(file, arena, findings);
            header(kdump.header());
            PagePlaces places = PagePlaces.of(kdump.descriptors(0), kdump.notes());
            places(findings, places);
            pages(kdump, places);
            notes(kdump);
            if (deep) {
                checks.readAll("kdump-16", kdump.memory(), progress);
            } else {
                checks.skip("kdump-16", "every page decompresses to a page", "only tried with --deep");
            }
        } catch (MalformedDumpException e) {
            checks.check(false, "kdump-02", "header and bitmaps can be read", e.offset(), "", e.getMessage(),
                    "no reader takes it");
        }
        return checks.list();
    }

    private void header(KdumpHeader header) {
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
                "the writer says that it came to the end", layout.status, "status without 0x8",
                "0x" + Long.toHexString(header.status()), "crash warns; pages are missing");
        checks.usual(!header.hasOneBitmap(), "kdump-06", "there are two bitmaps", header.bitmapOffset(), "two",
                header.hasOneBitmap() ? "one" : "two", "then no page is excluded; only old kernels wrote such files");
        checks.usual(header.split().isEmpty(), "kdump-07", "the file holds all pages",
                (long) header.blockSize() + layout.split, "split 0",
                header.split().map(split -> "page frames " + split.firstPfn() + " to " + split.endPfn()).orElse("0"),
                "readers need all files of the split set");
    }

    private void places(CappedFindings findings, PagePlaces places) {
        List<Finding> damage = findings.list().stream()
                .filter(finding -> finding.severity() == Finding.Severity.DAMAGE)
                .filter(finding -> !finding.message().contains("split set") && !places.tells(finding.message()))
                .toList();
        checks.check(damage.isEmpty(), "kdump-08", "notes, descriptors and pages lie in the file", 0, "so",
                damage.isEmpty() ? "so" : damage.getFirst().message(), "readers give errors, or zeros, for those pages");
    }

    private void pages(KdumpFile kdump, PagePlaces places) {
        KdumpHeader header = kdump.header();
        PageBitmap exists = kdump.exists();
        PageBitmap stored = kdump.stored();
        checks.check(exists.total() > 0, "kdump-09", "there is memory", header.bitmapOffset(), "pages",
                exists.total() + " pages", "no reader finds anything");
        long strange = firstStoredOnly(exists, stored);
        checks.check(strange < 0, "kdump-10", "every page that is stored exists", header.bitmapOffset(), "so",
                strange < 0 ? "so" : "page frame " + strange + " does not", "readers disagree about such a page");
        DescriptorTable table = kdump.descriptors(0);
        DescriptorChecks descriptors = new DescriptorChecks(table);
        descriptors.run();
        boolean fits = places.room().isEmpty() && places.beyond().isEmpty();
        checks.check(fits, "kdump-17", "there are as many descriptors as pages in the bitmap", table.end(),
                table.count() + " descriptors", fits ? "as many" : places.room() + places.beyond(),
                "readers show wrong pages");
        String shared = "pages that share a place in the file are zero";
        if (places.isShareWrong() || places.shared().isEmpty()) {
            checks.check(places.shared().isEmpty(), "kdump-18", shared, header.descriptorsOffset(), "so",
                    places.shared().isEmpty() ? "so" : places.shared(), "readers show one page at both frames");
        } else {
            checks.usual(false, "kdump-18", shared, header.descriptorsOffset(), "so", places.shared(), "");
        }
        checks.usual(places.unused().isEmpty(), "kdump-19", "every byte behind the descriptors belongs to a page",
                table.end(), "so", places.unused().isEmpty() ? "so" : "nothing refers to " + places.unused(), "");
        checks.check(descriptors.codecAt() < 0, "kdump-11", "every descriptor names one known compression",
                Math.max(0, descriptors.codecAt()), "0, 0x1, 0x2, 0x4 or 0x20",
                descriptors.codecAt() < 0 ? "so" : "0x" + Long.toHexString(descriptors.codec()),
                "readers give errors for that page");
        checks.check(descriptors.sizeAt() < 0, "kdump-12", "no page takes more than a page, nor nothing",
                Math.max(0, descriptors.sizeAt()), "1 to " + header.blockSize() + " bytes",
                descriptors.sizeAt() < 0 ? "so" : descriptors.size() + " bytes", "readers give errors for that page");
        checks.check(descriptors.placeAt() < 0, "kdump-13", "every page lies in the file behind the descriptors",
                Math.max(0, descriptors.placeAt()), "so",
                descriptors.placeAt() < 0 ? "so" : "offset 0x" + Long.toHexString(descriptors.place()),
                "readers give errors for that page");
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
        Optional<Long> base = notes.vmcoreInfo().flatMap(KernelNumbers::physicalBase);
        checks.usual(notes.vmcoreInfo().isPresent() && base.map(own -> own == header.physicalBase()).orElse(true),
                "kdump-15", "there is VMCOREINFO, and phys_base of the sub-header agrees with it",
                (long) header.blockSize() + header.layout().physicalBase,
                base.map(own -> "0x" + Long.toHexString(own)).orElse("VMCOREINFO"),
                notes.vmcoreInfo().isPresent() ? "0x" + Long.toHexString(header.physicalBase()) : "no VMCOREINFO",
                "makedumpfile and drgn need VMCOREINFO; crash may need -m phys_base");
    }
}

package dev.guestcore.format.elf;

import dev.guestcore.Finding;
import dev.guestcore.Progress;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.check.CheckList;
import dev.guestcore.internal.check.SecondCopies;
import dev.guestcore.internal.elf.CoreNotes;
import dev.guestcore.internal.elf.Elf;
import dev.guestcore.internal.elf.ElfHeader;
import dev.guestcore.internal.elf.ProgramHeader;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.util.List;

/** Tries the rules of docs/formats/elf.md on one file. */
final class ElfCoreVerifier {

    private final FileBytes file;
    private final boolean deep;
    private final Progress progress;
    private final CheckList checks = new CheckList("docs/formats/elf.md");

    ElfCoreVerifier(FileBytes file, boolean deep, Progress progress) {
        this.file = file;
        this.deep = deep;
        this.progress = progress;
    }

    List<Check> run() {
        try {
            checks.check(ElfHeader.isElf(file), "elf-01", "begins with the ELF magic, a class and a byte order", 0,
                    "7f 45 4c 46, then 1 or 2, then 1 or 2", "the first bytes of the file", "no reader accepts it");
            if (!ElfHeader.isElf(file)) {
                checks.skip("elf-02", "all other rules", "this is no ELF file");
                return checks.list();
            }
            ElfHeader elf = ElfHeader.read(file);
            checks.check(elf.type() == Elf.ET_CORE, "elf-02", "e_type is ET_CORE", 16, "4",
                    Integer.toString(elf.type()), "no reader accepts it as a dump");
            checks.usual(elf.headerSize() == elf.elfClass().headerSize(), "elf-03", "e_ehsize is the header's size",
                    elf.elfClass().headerSize() - 12, Integer.toString(elf.elfClass().headerSize()),
                    Integer.toString(elf.headerSize()), "QEMU 7.2 and later write 8; readers ignore the field");
            segments(elf);
        } catch (MalformedDumpException e) {
            checks.check(false, "elf-00", "the headers can be read", e.offset(), "", e.getMessage(), "");
        }
        return checks.list();
    }

    private void segments(ElfHeader elf) {
        ElfSegments segments = ElfSegments.of(file, elf);
        checks.check(segments.count() == segments.declared(), "elf-04", "all program headers lie in the file",
                elf.programHeaderOffset(), Long.toString(segments.declared()), Long.toString(segments.count()),
                "readers refuse the file or miss memory");
        checks.usual(segments.declared() < Elf.PN_XNUM, "elf-05", "fewer than 65535 program headers",
                elf.elfClass().headerSize() - 8, "at most 65534", Long.toString(segments.declared()),
                "gdb and libkdumpfile find the number in section header 0; a reader that does not sees 65535");
        checks.usual(segments.count() > 0 && segments.type(0) == Elf.PT_NOTE, "elf-06",
                "the first program header is PT_NOTE", elf.programHeaderOffset(), "PT_NOTE",
                segments.count() > 0 ? "p_type " + segments.type(0) : "none", "crash expects it there");
        long first = segments.firstLoad();
        checks.check(first >= 0, "elf-07", "there is memory", elf.programHeaderOffset(), "a PT_LOAD", "none",
                "no reader accepts it as a dump");
        if (first >= 0) {
            order(segments);
            checks.check(!segments.lackPhysicalAddresses(), "elf-11", "p_paddr gives the physical address",
                    segments.offsetOf(first), "addresses", "0 in all of several segments",
                    "readers show one segment, or treat the file as the core of a process");
            contents(segments);
            places(segments);
        }
        notes(elf, segments);
    }

    private void order(ElfSegments segments) {
        long unordered = -1;
        long shorter = -1;
        long previousLast = 0;
        boolean any = false;
        for (long i = 0; i < segments.count(); i++) {
            if (!segments.isShown(i, false)) {
                continue;
            }
            ProgramHeader load = segments.get(i);
            if (shorter < 0 && Long.compareUnsigned(load.memorySize(), load.fileSize()) < 0) {
                shorter = i;
            }
            if (load.memorySize() == 0) {
                continue;
            }
            if (any && unordered < 0 && Long.compareUnsigned(load.physicalAddress(), previousLast) <= 0) {
                unordered = i;
            }
            previousLast = load.physicalAddress() + (load.memorySize() - 1);
            any = true;
        }
        checks.usual(unordered < 0, "elf-08", "segments ascend and do not overlap",
                segments.offsetOf(Math.max(0, unordered)), "each p_paddr after the previous segment",
                unordered < 0 ? "so" : "violated from program header " + unordered + " on",
                "usual with QEMU's paging=on; crash shows the first match");
        checks.check(shorter < 0, "elf-09", "p_memsz is at least p_filesz", segments.offsetOf(Math.max(0, shorter)),
                "true of every segment", shorter < 0 ? "so" : "violated by program header " + shorter,
                "");
    }

    private void contents(ElfSegments segments) {
        CappedFindings findings = new CappedFindings();
        try (Arena arena = Arena.ofShared()) {
            Extents extents = segments.memory(arena, segments.lackPhysicalAddresses(), findings);
            List<Finding> damage = damage(findings);
            String found = damage.isEmpty() ? "so" : damage.getFirst().message();
            checks.check(damage.isEmpty() && extents.count() > 0, "elf-10",
                    "the content of every segment lies in the file", segments.offsetOf(0), "so",
                    extents.count() > 0 ? found : "no segment has any memory",
                    "gdb 13 refuses those addresses, libkdumpfile 0.5 gives zeros for them");
            String twice = "memory that segments hold twice is the same in both";
            if (deep) {
                checks.readAll("elf-16", new FileMemory(file, extents), progress);
                SecondCopies copies = segments.copies(extents, segments.lackPhysicalAddresses(), Long.MAX_VALUE);
                String different = copies.contradiction();
                checks.check(different.isEmpty(), "elf-19", twice, segments.offsetOf(0), "the same bytes",
                        different.isEmpty() ? copies.copies() + " copies" : different,
                        "readers differ in which one they show");
            } else {
                checks.skip("elf-16", "all memory can be read", "needs a deep check");
                checks.skip("elf-19", twice, "needs a deep check");
            }
        }
    }

    private void places(ElfSegments segments) {
        ElfPlaces places = ElfPlaces.of(segments, segments.lackPhysicalAddresses());
        checks.check(places.sharing().isEmpty(), "elf-17", "no bytes of the file are memory at two addresses", 0,
                "each place once", places.sharing().isEmpty() ? "each once" : places.sharing(),
                "readers show the same bytes at both addresses");
        checks.usual(places.unused().isEmpty(), "elf-18", "every byte of the file belongs to something", 0, "so",
                places.unused().isEmpty() ? "so" : "nothing refers to " + places.unused(),
                "readers do not show what a missing segment would");
    }

    private void notes(ElfHeader elf, ElfSegments segments) {
        CappedFindings findings = new CappedFindings();
        CoreNotes notes = ElfCoreFormat.notes(file, elf, segments, findings);
        List<Finding> damage = damage(findings);
        checks.check(damage.isEmpty(), "elf-12", "notes lie in their segment and in the file", 0, "so",
                damage.isEmpty() ? "so" : damage.getFirst().message(), "readers stop at the first broken note");
        checks.usual(notes.statusCount() > 0, "elf-13", "there is an NT_PRSTATUS for each vCPU", 0, "at least one",
                Integer.toString(notes.statusCount()), "gdb shows no registers");
        checks.usual(notes.stateCount() == 0 || notes.stateCount() == notes.statusCount(), "elf-14",
                "QEMU's notes are as many as NT_PRSTATUS", 0, Integer.toString(notes.statusCount()),
                Integer.toString(notes.stateCount()), "");
        checks.usual(notes.vmcoreInfo().isPresent(), "elf-15", "there is a VMCOREINFO note", 0, "one",
                notes.vmcoreInfo().isPresent() ? "one" : "none", "makedumpfile and drgn need it for Linux guests");
    }

    private static List<Finding> damage(CappedFindings findings) {
        return findings.list().stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .toList();
    }
}

package dev.guestcore.format.raw;

import dev.guestcore.AddressRange;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Provenance;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.internal.check.CappedFindings;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.internal.text.Quantities;
import dev.guestcore.internal.text.ShellWords;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Opens raw images. */
final class RawImage {

    /** Where a PC with so much memory has none. Machines differ in how much more they leave out (Q35 of QEMU from 2 GiB on). */
    private static final AddressRange HOLE = new AddressRange(0xc000_0000L, 0xffff_ffffL);

    private RawImage() {}

    /**
     * Opens an image: the parts that the user gave addresses, or one file by the map beside it, or without a map as memory
     * from address 0 on.
     *
     * @param files are closed with the guest, and by the caller if this method throws
     * @throws dev.guestcore.error.MalformedDumpException if the map breaks a rule
     * @throws SourceException if a file is empty or would pass 2^64, or two overlap
     */
    static Guest open(FileSet files) {
        Arena arena = Arena.ofShared();
        try {
            if (files.parts().size() > 1) {
                return openPieces(files, arena);
            }
            if (!files.isOneFile()) {
                return openFlat(files, base(files.parts().getFirst()), arena);
            }
            Optional<RawMap> map = RawMap.beside(files, arena);
            return map.isPresent() ? openWithMap(files, map.get(), arena) : openFlat(files, 0, arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** Guest-physical address of the first byte of a part, which is its name. */
    static long base(FileSet.Part part) {
        return part.name().isEmpty() ? 0 : Quantities.parse(part.name()).orElseThrow();
    }

    private static Guest openWithMap(FileSet files, RawMap map, Arena arena) {
        FileBytes file = files.first();
        Path place = files.placeBeside(RawMap.nameFor(files)).orElseThrow();
        if (map.regions().count() == 0) {
            throw new SourceException(place + ": names no memory; there is nothing to read");
        }
        CappedFindings findings = new CappedFindings();
        findings.addAll(file.findings());
        String sharing = map.sharing();
        if (!sharing.isEmpty()) {
            findings.add(Finding.damage(place + ": " + sharing + "; one offset of the map is wrong"));
        }
        if (file.size() < map.imageSize()) {
            findings.damage(file.malformed(file.size(), "size of the image",
                    map.imageSize() + " bytes, as its map says", file.size() + " bytes",
                    "the image is cut short; what follows is missing"));
        }
        if (file.size() > map.imageSize()) {
            findings.add(Finding.omitted(file.name() + ": is larger than its map says, " + file.size()
                    + " bytes instead of " + map.imageSize() + "; the rest is not read"));
        }
        if (map.namesLeftOut() > 0) {
            findings.add(Finding.omitted(place + ": "
                    + Amounts.counted(map.namesLeftOut(), "region has a name", "regions have names")
                    + " beyond the first "
                    + RawMap.MOST_NAMES + " different ones, which are all that is shown"));
        }
        String layout = map.isFlat() ? flatAt(0) + ", with map" : "with map";
        return guest(files, arena, new RawMemory(file, map), findings, layout, map.architecture());
    }

    private static Guest openFlat(FileSet files, long base, Arena arena) {
        FileBytes file = files.first();
        RawPiece piece = new RawPiece(file, base, arena);
        CappedFindings findings = new CappedFindings();
        findings.addAll(file.findings());
        overHole(file, piece.range()).ifPresent(findings::add);
        return guest(files, arena, piece.memory(), findings, flatAt(base), Architecture.UNKNOWN);
    }

    private static Guest openPieces(FileSet files, Arena arena) {
        CappedFindings findings = new CappedFindings();
        GuestBuilder guest = Guest.builder();
        List<RawPiece> placed = new ArrayList<>();
        List<String> names = new ArrayList<>();
        List<String> layout = new ArrayList<>();
        for (FileSet.Part part : files.parts()) {
            long base = base(part);
            RawPiece contents = new RawPiece(part.file(), base, arena);
            String name = part.file().name();
            for (int i = 0; i < placed.size(); i++) {
                if (placed.get(i).range().overlaps(contents.range())) {
                    throw new SourceException(name + " at " + contents.range() + " overlaps " + names.get(i) + " at "
                            + placed.get(i).range() + "; check the bases");
                }
            }
            placed.add(contents);
            names.add(name);
            layout.add("0x" + Long.toHexString(base));
            findings.addAll(part.file().findings());
            overHole(part.file(), contents.range()).ifPresent(findings::add);
            guest.region(new MemoryRegion(contents.range(), MemoryRegion.Kind.RAM, ""), contents);
        }
        return guest.provenance(new Provenance(
                String.join(", ", names), RawFormat.NAME, "pieces at " + String.join(", ", layout),
                Optional.empty(), Optional.empty(), Optional.empty()))
                .findings(findings.list())
                .laterFindings(files::readFailures)
                .onClose(() -> {
                    Arenas.close(arena);
                    files.close();
                })
                .build();
    }

    /** In a PC nothing of RAM lies right below 4 GiB, so that one piece across is two that were put together. */
    private static Optional<Finding> overHole(FileBytes file, AddressRange range) {
        if (Long.compareUnsigned(range.first(), HOLE.first()) >= 0
                || Long.compareUnsigned(range.last(), HOLE.last()) < 0) {
            return Optional.empty();
        }
        long low = HOLE.first() - range.first();
        String name = ShellWords.quoted(file.name());
        return Optional
                .of(Finding.note(file.name() + ": reaches over 0xc0000000-0xffffffff; if this is a PC, no RAM lies"
                        + " there, and what is shown from there on belongs at 4 GiB and above: split the file (head -c "
                        + low + " "
                        + name + " > low; tail -c +" + (low + 1) + " " + name + " > high) and open raw:low@0x"
                        + Long.toHexString(range.first()) + ",high@4G"));
    }

    private static String flatAt(long base) {
        return "flat at 0x" + Long.toHexString(base);
    }

    private static Guest guest(
            FileSet files,
            Arena arena,
            GuestMemory memory,
            CappedFindings findings,
            String layout,
            Architecture architecture) {
        return Guest.builder()
                .architecture(architecture)
                .provenance(new Provenance(
                        files.name(), RawFormat.NAME, layout, Optional.empty(), Optional.empty(), Optional.empty()))
                .findings(findings.list())
                .laterFindings(files::readFailures)
                .onClose(() -> {
                    Arenas.close(arena);
                    files.close();
                })
                .build(memory);
    }
}

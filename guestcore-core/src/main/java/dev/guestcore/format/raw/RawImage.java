package dev.guestcore.format.raw;

import dev.guestcore.Architecture;
import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.SourceException;
import dev.guestcore.format.FileBytes;
import dev.guestcore.internal.CappedFindings;
import dev.guestcore.internal.memory.Arenas;
import dev.guestcore.internal.memory.Extents;
import dev.guestcore.internal.memory.FileMemory;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Opens raw images. */
public final class RawImage {

    private RawImage() {}

    /** Whether there is a map beside an image. */
    public static boolean hasMap(Path image) {
        return Files.exists(RawMap.beside(image));
    }

    /**
     * Opens an image by the map beside it.
     *
     * @param file is closed with the guest, and by the caller if this method throws
     * @throws dev.guestcore.MalformedDumpException if the map breaks a rule
     */
    public static Guest openWithMap(FileBytes file) {
        Arena arena = Arena.ofShared();
        try {
            Path place = RawMap.beside(file.path());
            RawMap map = RawMap.read(file.path(), arena);
            if (map.regions().count() == 0) {
                throw new SourceException(place + ": names no memory; there is nothing to read");
            }
            CappedFindings findings = new CappedFindings();
            findings.addAll(file.findings());
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
                findings.add(Finding.omitted(place + ": " + map.namesLeftOut() + " regions have names beyond the first "
                        + RawMap.MOST_NAMES + " different ones; they are shown without"));
            }
            String layout = map.isFlat() ? flatAt(0) + ", with map" : "with map";
            return guest(file, arena, new RawMemory(file, map), findings, layout, map.architecture());
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /**
     * Opens an image that is one piece of memory.
     *
     * @param file is closed with the guest, and by the caller if this method throws
     * @param base guest-physical address of its first byte
     * @throws SourceException if it is empty, or would pass 2^64
     */
    public static Guest openFlat(FileBytes file, long base) {
        if (file.size() == 0) {
            throw new SourceException(file.name() + ": is empty; there is no memory in it");
        }
        long last = base + (file.size() - 1);
        if (Long.compareUnsigned(last, base) < 0) {
            throw new SourceException(file.name() + ": " + file.size() + " bytes at base 0x" + Long.toHexString(base)
                    + " would pass 2^64; choose a lower base");
        }
        Arena arena = Arena.ofShared();
        Extents.Builder one = new Extents.Builder(arena);
        one.add(base, last, 0);
        CappedFindings findings = new CappedFindings();
        findings.addAll(file.findings());
        return guest(file, arena, new FileMemory(file, one.build()), findings, flatAt(base), Architecture.X86);
    }

    private static String flatAt(long base) {
        return "flat at 0x" + Long.toHexString(base);
    }

    private static Guest guest(
            FileBytes file,
            Arena arena,
            GuestMemory memory,
            CappedFindings findings,
            String layout,
            Architecture architecture) {
        return Guest.builder()
                .architecture(architecture)
                .provenance(new Provenance(
                        file.name(), RawFormat.NAME, layout, Optional.empty(), Optional.empty(), Optional.empty()))
                .findings(findings.list())
                .laterFindings(file::readFailures)
                .onClose(() -> {
                    Arenas.close(arena);
                    file.close();
                })
                .build(memory);
    }
}

package dev.guestcore.format.vmstate;

import dev.guestcore.Finding;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestcoreException;
import dev.guestcore.MalformedDumpException;
import dev.guestcore.PageState;
import dev.guestcore.Provenance;
import dev.guestcore.format.FileBytes;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.memory.Arenas;
import dev.guestcore.internal.migration.MachineState;
import dev.guestcore.internal.migration.MigrationStream;
import dev.guestcore.internal.migration.PcMemoryMap;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * A stream that was read to its end.
 *
 * @param file holds it
 * @param image what was before it
 * @param state what it says beside memory
 * @param layout where its memory lies
 * @param pages where its pages are
 * @param ramComplete whether all of the memory came
 * @param missingPages how many pages never came
 * @param findings what is odd or damaged
 * @param arena of the tables
 */
record SavedStream(
        FileBytes file,
        SaveImage image,
        MachineState state,
        PcMemoryMap.Layout layout,
        PageTable pages,
        boolean ramComplete,
        long missingPages,
        List<Finding> findings,
        Arena arena) {

    /** Looks below the compression for the stream's magic. */
    static Probe probe(FileBytes file) {
        Wrapping wrapping = Wrapping.at(file, 0);
        StoredStream stored = new StoredStream(file, 0);
        ByteBuffer magic = ByteBuffer.allocate(Integer.BYTES);
        if (wrapping == Wrapping.NONE) {
            stored.read(magic);
            return magic.getInt(0) == MigrationStream.MAGIC
                    ? Probe.exact("begins with QEVM")
                    : Probe.no("does not begin with QEVM");
        }
        String compressed = "compressed by " + wrapping.label();
        StreamChannel channel = new StreamChannel(file.name(), wrapping, stored);
        try {
            while (magic.hasRemaining()) {
                if (channel.read(magic) <= 0) {
                    break;
                }
            }
        } catch (GuestcoreException e) {
            return Probe.no(e.getMessage());
        }
        if (magic.getInt(0) == MigrationStream.MAGIC) {
            return Probe.exact(compressed + ", begins with QEVM");
        }
        return Probe.almost(compressed + channel.damage()
                .map(why -> ", but cannot be decompressed: " + why)
                .orElse(", but not a QEMU migration stream"));
    }

    /**
     * Reads a file.
     *
     * @throws MalformedDumpException if there is no memory in it
     * @throws dev.guestcore.UnsupportedRequestException if it is written in a way that is not known
     */
    static SavedStream read(FileBytes file) {
        SaveImage image = SaveImage.read(file);
        boolean compressed = image.wrapping() != Wrapping.NONE;
        String remedy = compressed
                ? "make room, or decompress the file with `" + image.wrapping().remedy() + "` and open the result"
                : "make room there";
        StoredStream stored = new StoredStream(file, image.streamAt());
        Optional<StreamChannel> decompressed = compressed
                ? Optional.of(new StreamChannel(file.name(), image.wrapping(), stored))
                : Optional.empty();
        Arena arena = Arena.ofShared();
        try (PageTable.Builder builder = new PageTable.Builder(file, compressed, remedy)) {
            MigrationStream stream = compressed
                    ? new MigrationStream(decompressed.orElseThrow(), file.name() + " (decompressed)", builder)
                    : new MigrationStream(stored, file.name(), image.streamAt(), builder);
            List<Finding> findings = new ArrayList<>();
            if (!image.complete()) {
                findings.add(Finding.damage(file.name() + ": libvirt did not finish this save image, its magic still says"
                        + " so; save the domain again"));
            }
            MachineState state = state(file.name(), stream, findings, decompressed);
            PcMemoryMap.Layout layout = PcMemoryMap.of(state, image.dimms());
            findings.addAll(state.findings());
            layout.findings().forEach(finding ->
                    findings.add(new Finding(finding.severity(), file.name() + ": " + finding.message())));
            boolean whole = stream.isRamComplete();
            PageTable pages = builder.build(arena, whole ? PageState.EXCLUDED : PageState.UNREADABLE);
            long missing = pages.missingPages();
            if (missing > 0 && whole) {
                findings.add(Finding.note(file.name() + ": " + missing + " pages were never sent; QEMU leaves out what the"
                        + " guest has given back, and they are shown as excluded"));
            }
            return new SavedStream(file, image, state, layout, pages, whole, missing, List.copyOf(findings), arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** A stream that breaks off in its memory keeps what was read of it. */
    private static MachineState state(
            String file, MigrationStream stream, List<Finding> findings, Optional<StreamChannel> decompressed) {
        try {
            MachineState state = stream.read();
            decompressed.flatMap(StreamChannel::damage).ifPresent(why -> findings.add(compression(file, why)));
            return state;
        } catch (MalformedDumpException e) {
            Optional<String> why = decompressed.flatMap(StreamChannel::damage);
            why.ifPresent(text -> findings.add(compression(file, text)));
            if (stream.blocks().isEmpty()) {
                throw e;
            }
            List<Finding> damage = List.of(Finding.damage(e.getMessage() + "; what comes behind is lost, all registers"
                    + " among it"));
            return new MachineState(
                    stream.machine(), stream.blocks(), List.of(), Set.of(), Optional.empty(), Map.of(), Optional.empty(), damage);
        }
    }

    private static Finding compression(String file, String why) {
        return Finding.damage(file + ": the compressed data are damaged or cut short: " + why);
    }

    /** Where the guest comes from. */
    Provenance provenance(String format) {
        return new Provenance(
                file.name(), format, summary(), Optional.of("QEMU"), Optional.empty(), Optional.empty());
    }

    /** Machine, state, kind of file, in a few words. */
    String summary() {
        List<String> words = new ArrayList<>();
        if (image.libvirt()) {
            words.add("libvirt save image" + image.domain().map(name -> " of " + name).orElse(""));
        }
        if (image.wrapping() != Wrapping.NONE) {
            words.add(image.wrapping().label());
        }
        words.add("machine " + (state.machine().isEmpty() ? "not named" : state.machine()));
        state.runState().ifPresent(words::add);
        words.add(layout.derivation());
        return String.join(", ", words);
    }

    /** The first damage, for a line of text. */
    String firstDamage() {
        return findings.stream()
                .filter(finding -> finding.severity() == Finding.Severity.DAMAGE)
                .map(Finding::message)
                .findFirst()
                .orElse("not so");
    }

    /** Adds memory and vCPUs. */
    void addTo(GuestBuilder guest) {
        for (PcMemoryMap.Placement placement : layout.placements()) {
            guest.region(placement.region(), pages.contents(placement.block(), placement.offset()));
        }
        state.vcpus().forEach(guest::vcpu);
    }

    /** Frees tables and the temporary file. */
    void close() {
        pages.close();
        Arenas.close(arena);
    }
}

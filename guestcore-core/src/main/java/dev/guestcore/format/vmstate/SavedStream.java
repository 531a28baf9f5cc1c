package dev.guestcore.format.vmstate;

import dev.guestcore.Finding;
import dev.guestcore.GuestBuilder;
import dev.guestcore.PageState;
import dev.guestcore.Provenance;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.Compression;
import dev.guestcore.file.DecompressingChannel;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.StoredStream;
import dev.guestcore.format.Probe;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.migration.MachineState;
import dev.guestcore.internal.migration.MigrationStream;
import dev.guestcore.internal.migration.PcMemoryMap;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.report.Severity;
import java.lang.foreign.Arena;
import java.nio.ByteOrder;
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
 * @param findings damage and notes
 * @param arena of the tables
 */
record SavedStream(
        FileBytes file,
        SaveImage image,
        MachineState state,
        PcMemoryMap.Result layout,
        PageTable pages,
        boolean ramComplete,
        long missingPages,
        List<Finding> findings,
        Arena arena) {

    /** Looks at the magic. */
    static Probe probe(FileBytes file) {
        return file.holds(0, Integer.BYTES) && (int) file.u32(0, ByteOrder.BIG_ENDIAN, "magic") == MigrationStream.MAGIC
                ? Probe.exact("begins with QEVM")
                : Probe.no("does not begin with QEVM");
    }

    /**
     * Reads a file.
     *
     * @throws MalformedDumpException if there is no memory in it
     * @throws dev.guestcore.error.UnsupportedRequestException if it is written in a way that is not known
     */
    static SavedStream read(FileBytes file) {
        SaveImage image = SaveImage.read(file);
        boolean compressed = image.compression() != Compression.NONE;
        Optional<DecompressingChannel> decompressed = compressed
                ? Optional.of(DecompressingChannel.of(file, image.streamAt(), image.compression()))
                : Optional.empty();
        Arena arena = Arena.ofShared();
        try (PageTable.Builder builder = new PageTable.Builder(file, compressed)) {
            MigrationStream stream = compressed
                    ? new MigrationStream(decompressed.orElseThrow(), file.name() + " (decompressed)", builder)
                    : new MigrationStream(
                            new StoredStream(file, image.streamAt()), file.name(), image.streamAt(), builder);
            List<Finding> findings = new ArrayList<>();
            if (!image.complete()) {
                findings.add(
                        Finding.damage(file.name() + ": libvirt did not finish this save image, its magic still says"
                                + " so; what it had written is shown"));
            }
            MachineState state = state(file.name(), stream, findings, decompressed);
            PcMemoryMap.Result layout = layout(file.name(), state, image.dimms());
            findings.addAll(state.findings());
            layout.findings()
                    .forEach(finding -> findings.add(finding.withMessage(file.name() + ": " + finding.message())));
            boolean whole = stream.isRamComplete();
            PageTable pages = builder.build(arena, whole ? PageState.EXCLUDED : PageState.UNREADABLE);
            long missing = pages.missingPages();
            if (missing > 0 && whole) {
                findings.add(Finding.note(file.name() + ": " + Amounts.counted(missing, "page was", "pages were")
                        + " never sent; QEMU leaves out what the guest has given back, which is shown as excluded"));
            }
            return new SavedStream(file, image, state, layout, pages, whole, missing, List.copyOf(findings), arena);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** Names the file in a refusal, which speaks of machines only. */
    private static PcMemoryMap.Result layout(String file, MachineState state, List<PcMemoryMap.Dimm> dimms) {
        try {
            return PcMemoryMap.of(state, dimms);
        } catch (UnsupportedRequestException e) {
            throw new UnsupportedRequestException(file + ": " + e.getMessage());
        }
    }

    /** A stream that breaks off in its memory keeps what was read of it. */
    private static MachineState state(
            String file, MigrationStream stream, List<Finding> findings, Optional<DecompressingChannel> decompressed) {
        try {
            MachineState state = stream.read();
            decompressed.flatMap(DecompressingChannel::damage).ifPresent(why -> findings.add(compression(file, why)));
            return state;
        } catch (MalformedDumpException e) {
            Optional<String> why = decompressed.flatMap(DecompressingChannel::damage);
            why.ifPresent(text -> findings.add(compression(file, text)));
            if (stream.blocks().isEmpty()) {
                throw e;
            }
            List<Finding> damage = List.of(Finding.damage(e.getMessage()
                    + "; the rest is lost, including all registers"));
            return new MachineState(
                    stream.machine(),
                    Architecture.UNKNOWN,
                    stream.blocks(),
                    List.of(),
                    List.of(),
                    Set.of(),
                    Optional.empty(),
                    Map.of(),
                    Optional.empty(),
                    damage);
        }
    }

    private static Finding compression(String file, String why) {
        return Finding.damage(file + ": the compressed data are damaged or cut short: " + why);
    }

    /** The processor of the machine. */
    Architecture architecture() {
        return layout.architecture();
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
        image.compressionLabel().or(file::compression).ifPresent(words::add);
        words.add("machine " + (state.machine().isEmpty() ? "not named" : state.machine()));
        state.runState().ifPresent(words::add);
        words.add(layout.derivation());
        return String.join(", ", words);
    }

    /** The first damage, for a line of text. */
    String firstDamage() {
        return findings.stream()
                .filter(finding -> finding.severity() == Severity.DAMAGE)
                .map(Finding::message)
                .findFirst()
                .orElse("not so");
    }

    /** Adds memory and vCPUs. */
    void addTo(GuestBuilder guest) {
        for (PcMemoryMap.Placement placement : layout.placements()) {
            guest.region(placement.region(), pages.contents(placement.block(), placement.offset()));
        }
        for (int i = 0; i < state.vcpus().size(); i++) {
            guest.vcpu(state.vcpuNumbers().get(i), state.vcpus().get(i), List.of());
        }
    }

    /** Frees tables and the temporary file. */
    void close() {
        pages.close();
        Arenas.close(arena);
    }
}

package dev.guestcore.cli;

import dev.guestcore.capture.Capture;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.internal.text.Amounts;
import dev.guestcore.json.Json;
import dev.guestcore.source.FreezeChoice;
import dev.guestcore.source.FreezeRequest;
import dev.guestcore.source.GuestSource;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore capture}. */
@Command(
        name = "capture",
        description = {
            "Freeze a guest, write its memory and vCPUs to a core file, and let it run on.",
            "",
            "A guest that was already paused stays paused. The file appears under its name only when it is complete."
        },
        footer = {
            "",
            "Examples:",
            "  guestcore capture demo: -o vm.core --to vbox",
            "  guestcore capture qemu:/run/vm.qmp -o vm.core --to vbox --freeze snapshot",
            "  guestcore capture qemu:/run/vm.qmp -o - --to xen | zstd > vm.core.zst"
        })
final class CaptureVerb extends WritingVerb {

    @Parameters(
            paramLabel = "<source>",
            description = "Where the guest is: demo:, qemu:SOCKET, file:GUEST.json, or a core file. "
                    + "'guestcore formats' lists all kinds.")
    String source = "";

    @Option(
            names = "--freeze",
            paramLabel = "<way>",
            completionCandidates = FreezeWays.class,
            description = "How to freeze: ${COMPLETION-CANDIDATES}. snapshot: QEMU hands out the memory of one instant "
                    + "while the guest runs on; buffer: the guest stands still while its memory is copied; direct: "
                    + "it stands still until the file is written. Default: the first of these that is possible; "
                    + "which one, and why, is printed.")
    String way = "";

    @Option(
            names = "--dry-run",
            description = "Say how the guest would be frozen, how large the file may become, whether there is room, and what "
                    + "the host will notice. Nothing is frozen, nothing is written.")
    boolean dryRun;

    @Mixin
    TimeoutOption timeout = new TimeoutOption();

    CaptureVerb(Console console) {
        super(console);
    }

    @Override
    FreezeRequest freezing(Consumer<FreezeChoice> listener) {
        return FreezeWays.of(this, way)
                .map(FreezeRequest::only)
                .orElseGet(FreezeRequest::shortest)
                .withListener(listener);
    }

    @Override
    public Integer call() throws Exception {
        return dryRun ? rehearse() : deliver(source);
    }

    @Override
    GuestSource source(String location) {
        return timeout.source(this, location, progress.mode);
    }

    private int rehearse() throws Exception {
        CoreFormat format = WriteOptions.format(spec, to);
        WriteOptions.writer(spec, format);
        return unwinding(() -> {
            try (GuestSource guest = source(source)) {
                Style style = console().style();
                if (!json) {
                    announce(guest, format, console().out(), style);
                }
                Rehearsal rehearsal = rehearsal(guest);
                if (json) {
                    Json.write(console().out(), Json.document("capture-dry-run", json(guest, format, rehearsal)));
                } else {
                    describe(rehearsal, style);
                }
                return rehearsal.refused() ? ExitCode.FAILED : ExitCode.DONE;
            }
        });
    }

    /**
     * What a capture would do.
     *
     * @param live whether a guest would be frozen
     * @param choice how
     * @param most bytes of the core, about, at most
     * @param free bytes on the disk; empty for standard output
     * @param refused whether the guest would not be frozen, because there may be too little room
     */
    private record Rehearsal(boolean live, FreezeChoice choice, long most, OptionalLong free, boolean refused) {

        boolean fits() {
            return free.isEmpty() || free.getAsLong() >= most;
        }
    }

    private Rehearsal rehearsal(GuestSource guest) {
        FreezeChoice choice = guest.choose(freezing(any -> {}));
        long most = Capture.expectedBytes(guest);
        OptionalLong free = output.equals(FileNames.STANDARD_OUTPUT)
                ? OptionalLong.empty()
                : OptionalLong.of(OutputFile.freeSpace(FileNames.fileToWrite(output)));
        boolean refused = guest.isLive() && !anyRoom && free.isPresent() && free.getAsLong() < most;
        return new Rehearsal(guest.isLive(), choice, most, free, refused);
    }

    private void describe(Rehearsal rehearsal, Style style) {
        if (rehearsal.live()) {
            print(style.heading("by") + "    " + Printable.of(line(rehearsal.choice())));
        }
        String size = style.heading("size") + "  about " + Amounts.human(rehearsal.most())
                + " at most; less where pages are zero or compressed";
        rehearsal.free().ifPresentOrElse(
                free -> print(size + "; " + Amounts.human(free) + " are free in "
                        + Printable.of(FileNames.folder(FileNames.path(output)).toString())
                        + (rehearsal.fits() ? "" : ", which may be too little")
                        + (rehearsal.refused() ? ": " + ANY_ROOM + " captures all the same" : "")),
                () -> print(size));
        if (rehearsal.live()) {
            print(style.heading("host") + "  " + effects(rehearsal.choice().method()));
        }
    }

    private Map<String, Object> json(GuestSource guest, CoreFormat format, Rehearsal rehearsal) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("source", guest.description());
        document.put("output", output);
        document.put("format", format.name());
        document.put("live", rehearsal.live());
        document.put("vcpus", guest.vcpuCount());
        if (rehearsal.live()) {
            document.put("freeze", rehearsal.choice().method().label());
            document.put("freezeReason", rehearsal.choice().reason());
            document.put("effects", effects(rehearsal.choice().method()));
        }
        document.put("mostBytes", rehearsal.most());
        rehearsal.free().ifPresent(free -> document.put("freeBytes", free));
        document.put("fits", rehearsal.fits());
        document.put("refused", rehearsal.refused());
        return document;
    }
}

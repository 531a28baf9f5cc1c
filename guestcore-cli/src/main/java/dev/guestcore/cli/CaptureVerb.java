package dev.guestcore.cli;

import dev.guestcore.FreezeChoice;
import dev.guestcore.FreezeMethod;
import dev.guestcore.FreezeRequest;
import dev.guestcore.GuestSource;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.inspect.Sizes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
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
        return timeout.source(this, location);
    }

    private int rehearse() throws Exception {
        if (json) {
            throw usage("--dry-run is for people; leave out --json");
        }
        CoreFormat format = WriteOptions.format(spec, to);
        WriteOptions.writer(spec, format);
        Style style = console().style();
        return unwinding(() -> {
            try (GuestSource guest = source(source)) {
                announce(guest, format, console().out(), style);
                FreezeChoice choice = guest.choose(freezing(any -> {}));
                if (guest.isLive()) {
                    print(style.heading("by") + "    " + Printable.of(line(choice)));
                }
                boolean fits = tellRoom(guest, style);
                if (guest.isLive()) {
                    print(style.heading("host") + "  " + effects(choice.method()));
                }
                return fits ? ExitCode.DONE : ExitCode.FAILED;
            }
        });
    }

    private boolean tellRoom(GuestSource guest, Style style) throws IOException {
        long most = Delivery.expectedBytes(guest);
        String size = style.heading("size") + "  about " + Sizes.human(most)
                + " at most; less where pages are zero or compressed";
        if (output.equals(Delivery.STANDARD_OUTPUT)) {
            print(size);
            return true;
        }
        Path folder = Delivery.folder(Delivery.path(output));
        long room = Files.getFileStore(folder).getUsableSpace();
        boolean fits = room >= most;
        print(size + "; " + Sizes.human(room) + " are free in " + Printable.of(folder.toString())
                + (fits ? "" : ", which may be too little"));
        return fits;
    }

    private static String effects(FreezeMethod method) {
        return switch (method) {
            case SNAPSHOT -> "the guest waits at its first write to each page until the snapshot is read, huge pages of "
                    + "QEMU's are split, shared memory is allocated whole; memory for the guest's pages is taken meanwhile";
            case BUFFER -> "memory for the guest's pages is taken until the file is written";
            case DIRECT -> "the guest does not answer its network and its clock stands until the file is written";
        };
    }
}

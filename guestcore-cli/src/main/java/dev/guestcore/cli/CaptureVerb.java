package dev.guestcore.cli;

import dev.guestcore.FreezeChoice;
import dev.guestcore.FreezeMethod;
import dev.guestcore.FreezeRequest;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore capture}. */
@Command(
        name = "capture",
        description = {
            "Freeze a guest, write its memory and vCPUs as a core file, let it run on.",
            "",
            "A guest that was paused already stays paused. The file gets its name only when it is whole."
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
            completionCandidates = Ways.class,
            description = "How to freeze: ${COMPLETION-CANDIDATES}. By snapshot QEMU hands out the memory of one instant "
                    + "while the guest runs on; by buffer it stands still while its memory is copied to ours; direct, "
                    + "until the file is written. If not given, the first of them that is possible, which is said with "
                    + "the reason.")
    String way = "";

    CaptureVerb(Console console) {
        super(console);
    }

    private static final List<String> WAYS =
            Arrays.stream(FreezeMethod.values()).map(FreezeMethod::label).toList();

    /** The words for the ways. */
    static final class Ways implements Iterable<String> {

        @Override
        public Iterator<String> iterator() {
            return WAYS.iterator();
        }
    }

    @Override
    FreezeRequest freezing(Consumer<FreezeChoice> listener) {
        FreezeRequest request = super.freezing(listener);
        if (way.isEmpty()) {
            return request;
        }
        FreezeMethod method = Arrays.stream(FreezeMethod.values())
                .filter(known -> known.label().equals(way))
                .findFirst()
                .orElseThrow(() -> usage("--freeze: " + Choices.unknown(way, WAYS)));
        return FreezeRequest.only(method).withListener(listener);
    }

    @Override
    public Integer call() throws Exception {
        return deliver(source);
    }
}

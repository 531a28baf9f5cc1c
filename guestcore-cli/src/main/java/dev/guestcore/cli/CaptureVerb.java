package dev.guestcore.cli;

import picocli.CommandLine.Command;
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
            "  guestcore capture qemu:/run/vm.qmp -o - --to xen | zstd > vm.core.zst"
        })
final class CaptureVerb extends WritingVerb {

    @Parameters(
            paramLabel = "<source>",
            description = "Where the guest is: demo:, qemu:SOCKET, file:GUEST.json, or a core file. "
                    + "'guestcore formats' lists all kinds.")
    String source = "";

    CaptureVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        return deliver(source);
    }
}

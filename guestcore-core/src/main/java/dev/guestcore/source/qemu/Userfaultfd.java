package dev.guestcore.source.qemu;

import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What a snapshot needs of the host: userfaultfd with write protection (Linux 5.7). QEMU says "not supported by host kernel"
 * also where the kernel could, but does not let QEMU's user (documentation of the kernel, "userfaultfd" and
 * "unprivileged_userfaultfd").
 */
final class Userfaultfd {

    private static final String REFUSAL = "is not supported by host kernel";
    private static final Path SETTING = Path.of("/proc/sys/vm/unprivileged_userfaultfd");
    private static final Path DEVICE = Path.of("/dev/userfaultfd");
    private static final int ROOT = 0;

    private Userfaultfd() {}

    /** The true cause of QEMU's refusal and what to do about it, if it is this one; else the same error. */
    static SourceException explain(SourceException refusal, Optional<Descriptors.Peer> qemu) {
        return explain(refusal, qemu, setting(), Files.exists(DEVICE));
    }

    /**
     * The same, for a host.
     *
     * @param setting what vm.unprivileged_userfaultfd is; empty if there is none
     * @param hasDevice whether there is a /dev/userfaultfd
     */
    static SourceException explain(
            SourceException refusal, Optional<Descriptors.Peer> qemu, String setting, boolean hasDevice) {
        if (!refusal.getMessage().contains(REFUSAL)) {
            return refusal;
        }
        boolean isRoot = qemu.filter(peer -> peer.uid() == ROOT).isPresent();
        if (!setting.equals("0") || isRoot) {
            return new SourceException(
                    refusal.getMessage() + " (a snapshot needs userfaultfd with write protection: Linux 5.7, for shared"
                            + " memory 5.19; a container's seccomp filter may forbid it too)",
                    refusal);
        }
        return new SourceException(
                "QEMU may not use userfaultfd: it does not run as root, and vm.unprivileged_userfaultfd is 0; as root type"
                        + " `sysctl -w vm.unprivileged_userfaultfd=1`"
                        + (hasDevice ? ", or with QEMU 8.0 or later give QEMU's user access to " + DEVICE : "")
                        + " (QEMU's words: " + refusal.getMessage() + ")",
                refusal);
    }

    private static String setting() {
        try {
            return Files.readString(SETTING).strip();
        } catch (IOException e) {
            // Kernels before 5.2 let everybody; without procfs nobody knows.
            return "";
        }
    }
}

package dev.guestcore;

import java.time.Instant;
import java.util.Objects;
import java.util.Optional;

/**
 * Where a guest came from. What the source does not say is empty, never guessed.
 *
 * @param source what was opened: a file name or a source such as {@code qemu:/run/vm.qmp}
 * @param format short name of the format or kind of live source ("vbox", "xen", "demo")
 * @param layout the format's variant for the user ("7.0, format version 6"), or empty
 * @param hypervisor name of the hypervisor ("VirtualBox")
 * @param hypervisorVersion its version ("7.2.22 r175245")
 * @param takenAt when the guest was frozen
 */
public record Provenance(
        String source,
        String format,
        String layout,
        Optional<String> hypervisor,
        Optional<String> hypervisorVersion,
        Optional<Instant> takenAt) {

    /** Checks for null. */
    public Provenance {
        Objects.requireNonNull(source);
        Objects.requireNonNull(format);
        Objects.requireNonNull(layout);
        Objects.requireNonNull(hypervisor);
        Objects.requireNonNull(hypervisorVersion);
        Objects.requireNonNull(takenAt);
    }

    /** A provenance of which only source and format are known. */
    public static Provenance of(String source, String format) {
        return new Provenance(source, format, "", Optional.empty(), Optional.empty(), Optional.empty());
    }
}

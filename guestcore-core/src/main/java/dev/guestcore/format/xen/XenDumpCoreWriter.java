package dev.guestcore.format.xen;

import dev.guestcore.Guest;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;

/**
 * Writes Xen dump-cores (docs/formats/xen-dump-core.md). Immutable and thread-safe.
 *
 * <pre>{@code
 * XenDumpCoreWriter.hvm().write(guest, Path.of("guest.core"), Progress.none());
 * }</pre>
 */
public final class XenDumpCoreWriter implements CoreWriter {

    /** Which kind of dump. */
    enum Flavour {
        /** As the source, to the byte if it was a dump-core itself; else HVM. */
        SOURCE,
        /** Memory by guest-physical frame. */
        HVM,
        /** Memory by pseudo-physical and machine frame. */
        PV
    }

    private final Flavour flavour;
    private final boolean keeps;

    private XenDumpCoreWriter(Flavour flavour, boolean keeps) {
        this.flavour = flavour;
        this.keeps = keeps;
    }

    /**
     * Writes any guest as an HVM guest, in the form that the most readers take: seven sections, 64-bit contexts, frames
     * ascending and none of them invalid.
     */
    public static XenDumpCoreWriter hvm() {
        return new XenDumpCoreWriter(Flavour.HVM, false);
    }

    /** Writes a guest whose machine frames are known as a PV guest, in the same order of sections. */
    public static XenDumpCoreWriter pv() {
        return new XenDumpCoreWriter(Flavour.PV, false);
    }

    /**
     * Keeps what the source was: a dump-core that was read comes out byte for byte, with its flavour, class, byte order
     * and section order; a guest with machine frames becomes a PV dump, any other an HVM dump.
     */
    public static XenDumpCoreWriter asSource() {
        return new XenDumpCoreWriter(Flavour.SOURCE, false);
    }

    /** Adds what a dump-core cannot carry in a section of Guestcore's own, {@code .guestcore}, for conversion back. */
    public XenDumpCoreWriter withKeep() {
        return new XenDumpCoreWriter(flavour, true);
    }

    @Override
    public WritePlan plan(Guest guest) {
        return DumpPlan.of(guest, flavour, keeps);
    }
}

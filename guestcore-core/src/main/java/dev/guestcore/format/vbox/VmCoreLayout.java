package dev.guestcore.format.vbox;

import java.util.Optional;
import java.util.stream.Stream;

/**
 * The generations of the VMCore format, oldest first (docs/formats/vbox-vmcore.md, sections 4 and 5). They differ in
 * the notes only.
 */
public enum VmCoreLayout {
    /** The founding revision of September 2010: notes VBOXCORE and VBOXCPU, CPUMCTX of 1024 bytes. Never released. */
    R32341("r32341", 0x00010000, 1024, 0x03020002, 32341),
    /** VirtualBox 4.0 and 4.1: CPUMCTX of 1024 bytes. */
    V4_0("4.0", 0x00010000, 1024, 0x04000000, 69151),
    /** VirtualBox 4.2 and 4.3: CPUMCTX of 1088 bytes under the same format version. */
    V4_2("4.2", 0x00010000, 1088, 0x0403001e, 101610),
    /** VirtualBox 5.0.0 RC2: DBGFCORECPU without the size of the extended state. A variant. */
    V5_0_RC2("5.0/8736", 0x00010002, 8736, 0x0500000a, 104061),
    /** VirtualBox 5.0 on a 32-bit host. A variant. */
    V5_0_HOST32("5.0/8744", 0x00010003, 8744, 0x0500000a, 104061),
    /** VirtualBox 5.0. */
    V5_0("5.0", 0x00010003, 8752, 0x0500000a, 104061),
    /** VirtualBox 5.1 to 6.1. */
    V5_1("5.1", 0x00010005, 8768, 0x06000004, 128413),
    /** VirtualBox 7 on a Windows host. A variant. */
    V7_0_WINDOWS("7.0/8776", 0x00010006, 8776, 0x07020016, 175245),
    /** VirtualBox 7.0 to 7.2. */
    V7_0("7.0", 0x00010006, 8784, 0x07020016, 175245);

    private final String label;
    private final int formatVersion;
    private final int payloadSize;
    private final int defaultVersion;
    private final int defaultRevision;

    VmCoreLayout(String label, int formatVersion, int payloadSize, int defaultVersion, int defaultRevision) {
        this.label = label;
        this.formatVersion = formatVersion;
        this.payloadSize = payloadSize;
        this.defaultVersion = defaultVersion;
        this.defaultRevision = defaultRevision;
    }

    /** Name for the user: "7.0", or "7.0/8776" for a variant that only differs in the size of the CPU state. */
    public String label() {
        return label;
    }

    /** Format version of the core descriptor. */
    public int formatVersion() {
        return formatVersion;
    }

    /** Size of the CPU state of one vCPU, in bytes. */
    public int payloadSize() {
        return payloadSize;
    }

    /** Whether this is a variant of another layout that some hosts or pre-releases wrote. */
    public boolean isVariant() {
        return label.indexOf('/') >= 0;
    }

    /**
     * VirtualBox version to name for a guest that has none: of the newest release whose cores were compared with
     * ours.
     */
    int defaultVersion() {
        return defaultVersion;
    }

    /** Revision that belongs to {@link #defaultVersion()}. */
    int defaultRevision() {
        return defaultRevision;
    }

    /** The newest layout. */
    public static VmCoreLayout newest() {
        return V7_0;
    }

    /** The layout of that name. */
    public static Optional<VmCoreLayout> ofLabel(String label) {
        return Stream.of(values()).filter(layout -> layout.label.equals(label)).findFirst();
    }
}

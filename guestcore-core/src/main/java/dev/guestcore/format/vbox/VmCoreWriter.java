package dev.guestcore.format.vbox;

import dev.guestcore.Guest;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import java.util.Optional;

/**
 * Writes guests as VirtualBox VMCores.
 *
 * <pre>{@code
 * WriteReport report = VmCoreWriter.newest().write(guest, Path.of("vm.core"), Progress.none());
 * }</pre>
 *
 * <p>Immutable and thread-safe; the {@code with} methods return a changed copy.
 */
public final class VmCoreWriter implements CoreWriter {

    private final Optional<VmCoreLayout> layout;
    private final boolean largePhnum;
    private final boolean analystNotes;
    private final boolean keeps;

    private VmCoreWriter(Optional<VmCoreLayout> layout, boolean largePhnum, boolean analystNotes, boolean keeps) {
        this.layout = layout;
        this.largePhnum = largePhnum;
        this.analystNotes = analystNotes;
        this.keeps = keeps;
    }

    /** The newest layout: what VirtualBox 7 writes. */
    public static VmCoreWriter newest() {
        return layout(VmCoreLayout.newest());
    }

    /** A layout of the caller's choice. */
    public static VmCoreWriter layout(VmCoreLayout layout) {
        return new VmCoreWriter(Optional.of(layout), false, false, false);
    }

    /** The layout of the VMCore that a guest was read from; the newest for a guest from elsewhere. */
    public static VmCoreWriter likeSource() {
        return new VmCoreWriter(Optional.empty(), false, false, false);
    }

    /** The same in another layout. */
    public VmCoreWriter withLayout(VmCoreLayout other) {
        return new VmCoreWriter(Optional.of(other), largePhnum, analystNotes, keeps);
    }

    /**
     * Allows more than 65534 ranges: their number goes into section header 0, as the ELF standard has it for
     * {@code e_phnum} 0xffff. VirtualBox itself drops the ranges instead. Without this such a guest is refused, unless
     * merging adjacent ranges of one kind makes them few enough.
     */
    public VmCoreWriter withLargePhnum() {
        return new VmCoreWriter(layout, true, analystNotes, keeps);
    }

    /**
     * Adds, behind VirtualBox's notes, NT_PRSTATUS for each vCPU and VMCOREINFO where the guest's memory has one; all
     * of the memory is read beforehand to find it. EI_VERSION becomes the standard's 1, without which such tools refuse
     * the file.
     */
    public VmCoreWriter withAnalystNotes() {
        return new VmCoreWriter(layout, largePhnum, true, keeps);
    }

    /**
     * Adds, behind all other notes, a record of Guestcore's own with what a VMCore cannot carry. Other readers skip it;
     * reading the core with Guestcore gives the guest back as it was.
     */
    public VmCoreWriter withKeep() {
        return new VmCoreWriter(layout, largePhnum, analystNotes, true);
    }

    @Override
    public WritePlan plan(Guest guest) {
        return VmCorePlan.of(guest, layout, largePhnum, analystNotes, keeps);
    }
}

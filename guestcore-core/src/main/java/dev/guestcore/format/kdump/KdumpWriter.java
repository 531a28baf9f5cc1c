package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;
import java.util.Objects;

/**
 * Writes compressed kdumps, version 6.
 *
 * <pre>{@code
 * KdumpWriter.standard().withCompression(PageCodec.ZSTD).write(guest, Path.of("vm.kdump"), Progress.none());
 * }</pre>
 *
 * <p>Into a file pages are compressed on all processors and written in order. A pipe gets the flattened form, because
 * descriptors stand before the pages whose compressed sizes they hold; crash opens it as it is, other readers after
 * {@code makedumpfile -R}.
 *
 * <p>Immutable and thread-safe; the {@code with} methods return a changed copy.
 */
public final class KdumpWriter implements CoreWriter {

    private final PageCodec codec;
    private final boolean keeps;
    private final boolean makes;

    private KdumpWriter(PageCodec codec, boolean keeps, boolean makes) {
        this.codec = Objects.requireNonNull(codec);
        this.keeps = keeps;
        this.makes = makes;
    }

    /** Pages compressed with zlib, which all readers know. */
    public static KdumpWriter standard() {
        return new KdumpWriter(PageCodec.ZLIB, false, true);
    }

    /** The same with pages compressed in another way. */
    public KdumpWriter withCompression(PageCodec other) {
        return new KdumpWriter(other, keeps, makes);
    }

    /** Adds what a kdump cannot carry in a record of Guestcore's own, for conversion back. Other readers skip it. */
    public KdumpWriter withKeep() {
        return new KdumpWriter(codec, true, makes);
    }

    /** The same without a VMCOREINFO note that Guestcore makes itself where the guest's memory holds none. */
    public KdumpWriter withoutMadeVmcoreInfo() {
        return new KdumpWriter(codec, keeps, false);
    }

    @Override
    public WritePlan plan(Guest guest) {
        return new KdumpPlan(guest, codec, keeps, makes);
    }
}

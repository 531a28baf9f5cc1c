package dev.guestcore.format.kdump;

import dev.guestcore.Guest;
import dev.guestcore.format.CoreWriter;
import dev.guestcore.format.WritePlan;

/**
 * Writes compressed kdumps, version 6. Immutable and thread-safe.
 *
 * <p>Into a file pages are compressed on all processors and written in order. A pipe gets the flattened form, because
 * descriptors stand before the pages whose compressed sizes they hold; crash opens it as it is, other readers after
 * {@code makedumpfile -R}.
 */
public final class KdumpWriter implements CoreWriter {

    private final PageCodec codec;
    private final boolean keeps;

    KdumpWriter(PageCodec codec, boolean keeps) {
        this.codec = codec;
        this.keeps = keeps;
    }

    @Override
    public WritePlan plan(Guest guest) {
        return new KdumpPlan(guest, codec, keeps);
    }
}

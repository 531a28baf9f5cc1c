package dev.guestcore.open;

import dev.guestcore.ForwardingGuest;
import dev.guestcore.Guest;
import dev.guestcore.source.GuestSource;

/** A guest that also closes the source it was had from. */
final class SourcedGuest extends ForwardingGuest {

    private final GuestSource source;

    SourcedGuest(Guest guest, GuestSource source) {
        super(guest);
        this.source = source;
    }

    @Override
    public void close() {
        try {
            super.close();
        } finally {
            source.close();
        }
    }
}

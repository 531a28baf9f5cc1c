package dev.guestcore.source;

import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import java.util.List;

/** A guest that lies in files: it is frozen as it is. */
record OpenedSource(Guest guest, String description) implements GuestSource {

    @Override
    public List<MemoryRegion> regions() {
        return guest.memory().regions();
    }

    @Override
    public int vcpuCount() {
        return guest.vcpus().size();
    }

    @Override
    public boolean isLive() {
        return false;
    }

    @Override
    public Guest freeze() {
        return guest;
    }

    @Override
    public void close() {
        guest.close();
    }
}

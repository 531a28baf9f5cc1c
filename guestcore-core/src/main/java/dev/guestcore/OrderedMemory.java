package dev.guestcore;

import java.nio.ByteOrder;

/** Memory of a guest whose byte order is known. */
final class OrderedMemory extends ForwardingMemory {

    private final GuestMemory memory;
    private final ByteOrder byteOrder;

    OrderedMemory(GuestMemory memory, ByteOrder byteOrder) {
        this.memory = memory;
        this.byteOrder = byteOrder;
    }

    @Override
    protected GuestMemory memory() {
        return memory;
    }

    @Override
    public ByteOrder byteOrder() {
        return byteOrder;
    }
}

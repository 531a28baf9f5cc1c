package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.format.kdump.KdumpSeeds;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** A split kdump of two files. */
final class SplitTarget implements Target {

    private static final int HEAD = 8;

    private final Scratch first;
    private final Scratch second;

    SplitTarget() throws IOException {
        first = new Scratch("split-1");
        second = new Scratch("split-2");
    }

    @Override
    public String name() {
        return "split";
    }

    @Override
    public String title() {
        return "split kdumps";
    }

    /** Four bytes that say what is done, four with the size of the first file, the files. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length < HEAD) {
            return;
        }
        ByteBuffer head = ByteBuffer.wrap(input);
        int choice = head.getInt();
        int size = Math.clamp(head.getInt(), 0, input.length - HEAD);
        first.with(input, HEAD, size);
        second.with(input, HEAD + size, input.length - HEAD - size);
        try (Guest guest = Guests.open("split:" + first.path() + "," + second.path())) {
            GuestWalk.over(guest, choice);
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    @Override
    public List<byte[]> seeds() {
        return Seeds.withChoices(KdumpSeeds.sets(), longest());
    }

    @Override
    public List<byte[]> dictionary() {
        return Seeds.words("KDUMP   ", "DISKDUMP", "x86_64", "Linux");
    }

    @Override
    public int longest() {
        return 1 << 17;
    }
}

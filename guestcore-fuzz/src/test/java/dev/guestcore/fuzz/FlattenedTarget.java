package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.FlattenedFiles;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Flattened streams: what is read of one is what writing its pieces into a file one after the other gives. */
final class FlattenedTarget implements Target {

    private static final int MOST_COMPARED = 1 << 18;
    private static final int HEADER = 4096;

    private final Scratch scratch;
    private final byte[] header;

    FlattenedTarget() throws IOException {
        scratch = new Scratch("flattened");
        header = Files.readAllBytes(new FlattenedFiles().write(scratch.path()));
    }

    @Override
    public String name() {
        return "flattened";
    }

    @Override
    public String title() {
        return "flattened dumps";
    }

    /** The first four bytes say what is done, in which the sign bit leaves the usual header to the input. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length < Integer.BYTES) {
            return;
        }
        int choice = ByteBuffer.wrap(input).getInt();
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        if (choice >= 0) {
            stream.writeBytes(header);
        }
        stream.write(input, Integer.BYTES, input.length - Integer.BYTES);
        byte[] stored = stream.toByteArray();
        try (FileBytes file = FileBytes.open(scratch.with(stored))) {
            if (file.isFlattened()) {
                compare(file, stored);
            }
            if ((choice & 0x40) == 0) {
                try (Guest guest = Guests.recognize(file).open(file)) {
                    GuestWalk.over(guest, choice);
                }
            }
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    private static void compare(FileBytes file, byte[] stored) {
        int size = (int) Math.min(file.size(), MOST_COMPARED);
        byte[] expected = new byte[size];
        ByteBuffer in = ByteBuffer.wrap(stored).position(HEADER);
        long end = 0;
        while (in.remaining() >= 16) {
            long offset = in.getLong();
            long length = in.getLong();
            if (offset < 0 || length <= 0 || offset + length < 0 || offset + length > file.size()) {
                break;
            }
            end = Math.max(end, offset + length);
            int held = (int) Math.min(length, in.remaining());
            if (offset < size) {
                in.slice().get(expected, (int) offset, (int) Math.min(held, size - offset));
            }
            in.position(in.position() + held);
            if (held < length) {
                break;
            }
        }
        GuestWalk.require(end == file.size(), "a size other than the end of the last piece, " + end, file.size());
        byte[] found = new byte[size];
        GuestWalk.require(file.read(0, MemorySegment.ofArray(found)) == size, "cannot be read whole", size);
        int difference = Arrays.mismatch(expected, found);
        GuestWalk.require(difference < 0, "another byte than the pieces say at", difference);
        for (int at : new int[] {0, size / 2, size - 1}) {
            GuestWalk.require(file.u8(at, "byte") == (expected[at] & 0xff), "two bytes at", at);
        }
    }

    @Override
    public List<byte[]> seeds() throws IOException {
        List<byte[]> pieces = new ArrayList<>();
        List<byte[]> whole = new ArrayList<>(Seeds.written("elf"));
        whole.addAll(Seeds.written("kdump"));
        for (int i = 0; i < whole.size(); i += 3) {
            byte[] file = whole.get(i);
            if (file.length > 40_000) {
                continue;
            }
            FlattenedFiles stream = new FlattenedFiles();
            int half = file.length / 2;
            stream.piece(half, Arrays.copyOfRange(file, half, file.length));
            stream.piece(0, Arrays.copyOf(file, half + 100)).end();
            Path path = stream.write(scratch.path());
            byte[] stored = Files.readAllBytes(path);
            pieces.add(Arrays.copyOfRange(stored, HEADER, stored.length));
        }
        byte[] small = Files.readAllBytes(new FlattenedFiles()
                .piece(100, new byte[] {1, 2, 3})
                .piece(101, new byte[] {4})
                .piece(1000, new byte[20])
                .write(scratch.path()));
        pieces.add(Arrays.copyOfRange(small, HEADER, small.length));
        return Seeds.withChoices(pieces, longest());
    }

    @Override
    public List<byte[]> dictionary() {
        return Seeds.words("makedumpfile", "~~~~~~~\u0001", "\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff\u00ff");
    }
}

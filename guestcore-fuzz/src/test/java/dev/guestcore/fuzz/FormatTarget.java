package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.format.CoreFormat;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** A file of one format: opened, verified, looked at, converted. */
final class FormatTarget implements Target {

    private static final int CHOICE = Integer.BYTES;

    private final String format;
    private final String name;
    private final Seeds.Source more;
    private final List<byte[]> words;
    private final Scratch scratch;

    /**
     * A target.
     *
     * @param name of the target
     * @param format name of the format
     * @param more seeds beside what the format's own writer makes
     * @param words the dictionary
     */
    FormatTarget(String name, String format, Seeds.Source more, List<byte[]> words) throws IOException {
        this.name = name;
        this.format = format;
        this.more = more;
        this.words = words;
        this.scratch = new Scratch(name);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String title() {
        return "files of format " + Guests.format(format).title();
    }

    /** The first four bytes of an input say what is done with the file that follows. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length < CHOICE) {
            return;
        }
        int choice = ByteBuffer.wrap(input).getInt();
        CoreFormat reader = Guests.format(format);
        try (FileBytes file = FileBytes.open(scratch.with(input, CHOICE, input.length - CHOICE))) {
            if (!reader.probe(file).claims()) {
                return;
            }
            if ((choice & 15) == 8) {
                verify(reader, file, choice);
                return;
            }
            try (Guest guest = reader.open(file)) {
                GuestWalk.over(guest, choice);
            }
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    private static void verify(CoreFormat reader, FileBytes file, int choice) {
        List<Check> checks = reader.verify(file, (choice & 16) == 0, Progress.none());
        GuestWalk.require(!checks.isEmpty(), "no checks", file.name());
        if (checks.stream().noneMatch(check -> check.result() == Check.Result.FAIL)) {
            try {
                reader.open(file).close();
            } catch (MalformedDumpException e) {
                throw new AssertionError("a file without fault that cannot be opened", e);
            }
        }
    }

    @Override
    public List<byte[]> seeds() throws IOException {
        List<byte[]> seeds = new ArrayList<>();
        if (Guests.format(format).canWrite()) {
            seeds.addAll(Seeds.written(format));
        }
        seeds.addAll(more.seeds());
        return Seeds.withChoices(seeds, longest());
    }

    @Override
    public List<byte[]> dictionary() {
        return words;
    }
}

package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Patterns;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** A described guest. */
final class DescribedTarget implements Target {

    private final Scratch description;
    private final Scratch content;

    DescribedTarget() throws IOException {
        description = new Scratch("guest.json");
        content = new Scratch("bytes");
        content.with(Patterns.bytes(5000, 1));
    }

    @Override
    public String name() {
        return "described";
    }

    @Override
    public String title() {
        return "described guests";
    }

    /** The first four bytes say what is done with the guest that follows. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length < Integer.BYTES) {
            return;
        }
        int choice = ByteBuffer.wrap(input).getInt();
        description.with(input, Integer.BYTES, input.length - Integer.BYTES);
        try (Guest guest = Guests.open("file:" + description.path())) {
            GuestWalk.over(guest, choice);
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    @Override
    public List<byte[]> seeds() throws IOException {
        List<byte[]> files = new ArrayList<>();
        for (String seed : List.of("usual.json", "contents.json", "xen.json", "virtualbox.json")) {
            files.add(Seeds.resource("described/" + seed));
        }
        return Seeds.withChoices(files, longest());
    }

    @Override
    public List<byte[]> dictionary() {
        List<byte[]> words = new ArrayList<>();
        for (String key : List.of(
                "architecture", "provenance", "background", "regions", "vcpus", "virtualbox", "xen", "kind", "address",
                "size", "name", "contents", "offset", "zero", "unreadable", "fill", "repeat", "hex", "text", "file",
                "fileOffset", "multiply", "add", "xor", "pageNumber", "pages", "modulo", "remainders", "registers",
                "rawContexts", "version", "revision", "layout", "extraNotes", "frames", "pfn", "mfn", "mfns", "count",
                "paravirtualized", "guestWidth", "sharedInfo", "takenAt", "elfMachine")) {
            words.add(("\"" + key + "\":").getBytes(StandardCharsets.US_ASCII));
        }
        words.addAll(Seeds.words(
                "\"ram\"", "\"rom\"", "\"device\"", "true", "null", "\"0xffffffffffffffff\"", "\"4G\"", "\"16T\"", "[]",
                "{}", "18446744073709551615", "\"bytes\"", "-1", "1e99", "\\u0000"));
        return words;
    }

    @Override
    public int longest() {
        return 4096;
    }

    @Override
    public int runsInCi() {
        return 4_000;
    }
}

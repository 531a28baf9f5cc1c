package dev.guestcore.fuzz;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A raw image and the map beside it. */
final class RawMapTarget implements Target {

    private static final int HEAD = 6;
    private static final String SUFFIX = ".map.json";

    private final Scratch image;
    private final Scratch map;

    RawMapTarget() throws IOException {
        image = new Scratch("image");
        map = new Scratch("image" + SUFFIX);
    }

    @Override
    public String name() {
        return "raw-map";
    }

    @Override
    public String title() {
        return "raw images with a map";
    }

    /** Four bytes that say what is done, two with the size of the map, the map, the image. */
    @Override
    public void run(byte[] input) throws IOException {
        if (input.length < HEAD) {
            return;
        }
        ByteBuffer head = ByteBuffer.wrap(input);
        int choice = head.getInt();
        int size = Math.min(head.getShort() & 0xffff, input.length - HEAD);
        map.with(input, HEAD, size);
        image.with(input, HEAD + size, input.length - HEAD - size);
        try (Guest guest = Guests.open("raw:" + image.path())) {
            GuestWalk.over(guest, choice);
        } catch (GuestcoreException e) {
            GuestWalk.requireOneLine(e);
        }
    }

    @Override
    public List<byte[]> seeds() throws IOException {
        List<byte[]> parts = new ArrayList<>();
        Path folder = Scratch.newFolder();
        try {
            for (String layout : List.of("flat", "packed")) {
                for (Guest guest : Seeds.guests()) {
                    Path file = folder.resolve("seed" + parts.size());
                    try {
                        Guests.format("raw").writer(Map.of("layout", layout)).write(guest, file, Progress.none());
                    } catch (GuestcoreException e) {
                        // Not every guest has a flat image of a size that is taken.
                        continue;
                    }
                    byte[] text = Files.readAllBytes(Path.of(file + SUFFIX));
                    byte[] content = Files.size(file) < longest() ? Files.readAllBytes(file) : new byte[0];
                    parts.add(ByteBuffer.allocate(2 + text.length + content.length)
                            .putShort((short) text.length)
                            .put(text)
                            .put(content)
                            .array());
                }
            }
        } finally {
            Scratch.delete(folder);
        }
        return Seeds.withChoices(parts, longest());
    }

    @Override
    public List<byte[]> dictionary() {
        List<byte[]> words = new ArrayList<>();
        for (String key : List.of(
                "format", "version", "imageSize", "architecture", "regions", "ranges", "offset", "address", "gpa",
                "size", "kind", "name", "state", "guestcore raw map")) {
            words.add(("\"" + key + "\"").getBytes(StandardCharsets.US_ASCII));
        }
        words.addAll(Seeds.words(
                "\"ram\"", "\"rom\"", "\"device\"", "\"zero\"", "\"excluded\"", "\"unreadable\"", "\"absent\"",
                "\"0xffffffffffffffff\"", "18446744073709551615", "null", "-1", "[]", "{}"));
        return words;
    }
}

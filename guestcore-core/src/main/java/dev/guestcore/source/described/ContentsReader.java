package dev.guestcore.source.described;

import dev.guestcore.AddressRange;
import dev.guestcore.RegionContents;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Reads the pieces that a region's contents are made of. */
final class ContentsReader {

    private static final int MOST_CHOICES = 64;
    private static final int GOOD_PERIOD = 4096;
    private static final List<String> KINDS =
            List.of("zero", "unreadable", "fill", "repeat", "hex", "text", "file", "address", "pageNumber");

    private final DescriptionFiles files;

    ContentsReader(DescriptionFiles files) {
        this.files = files;
    }

    /**
     * The contents of a region.
     *
     * @param background pieces under those of every region; what does not lie in this one is cut off
     * @param pieces the region's own
     */
    RegionContents contents(AddressRange range, List<JsonValue> background, List<JsonValue> pieces) {
        List<FilledRange> layers = new ArrayList<>(background.size() + pieces.size());
        for (JsonValue piece : background) {
            cut(piece(piece, Long.MAX_VALUE), range.size()).ifPresent(layers::add);
        }
        for (JsonValue piece : pieces) {
            layers.add(piece(piece, range.size()));
        }
        long choices = layers.stream().filter(piece -> piece.pages().isPresent()).count();
        if (choices > MOST_CHOICES) {
            JsonValue last = pieces.isEmpty() ? background.getLast() : pieces.getLast();
            throw last.error(
                    "at most " + MOST_CHOICES + " pieces with 'pages' in a region, those of the background included",
                    "found " + choices);
        }
        return layers.isEmpty() ? RegionContents.zeros() : new LayeredContents(range.first(), layers);
    }

    private static Optional<FilledRange> cut(FilledRange piece, long size) {
        if (piece.offset() >= size) {
            return Optional.empty();
        }
        long left = Math.min(piece.size(), size - piece.offset());
        return Optional.of(new FilledRange(piece.offset(), left, piece.pages(), piece.filling()));
    }

    private FilledRange piece(JsonValue json, long regionSize) {
        List<String> kinds = json.keys().stream().filter(KINDS::contains).toList();
        if (kinds.size() != 1) {
            String found = kinds.isEmpty() ? String.join(", ", json.keys()) : String.join(" and ", kinds);
            throw json.error(
                    "exactly one of the keys " + String.join(", ", KINDS),
                    "found " + (found.isEmpty() ? "none" : JsonValue.shorten(found)));
        }
        String kind = kinds.getFirst();
        boolean once = kind.equals("hex") || kind.equals("text");
        Stream<String> known = Stream.of(kind, "offset", "size", "pages");
        json.only((kind.equals("file") ? Stream.concat(known, Stream.of("fileOffset")) : known).toArray(String[]::new));

        long offset = json.number("offset", 0);
        if (offset < 0 || offset >= regionSize) {
            throw json.get("offset").wrong("an offset in the region, which has " + regionSize + " bytes");
        }
        byte[] bytes = once ? bytes(json.get(kind)) : new byte[0];
        if (once && json.has("size") && json.find("pages").isEmpty()) {
            throw json.get("size").wrong("no size here: a piece with '" + kind + "' is as long as its bytes");
        }
        Filling filling = once ? repeat(bytes) : filling(json, kind);
        Optional<PageChoice> pages = json.find("pages").map(choice -> pages(choice, once ? bytes.length : 0));
        long size = regionSize - offset;
        JsonValue sized = json;
        if (json.has("size")) {
            sized = json.get("size");
            size = sized.number();
        } else if (once && pages.isEmpty()) {
            size = bytes.length;
        } else if (kind.equals("file") && pages.isEmpty()) {
            size = files.slice(json).size();
        }
        if (size <= 0 || size > regionSize - offset) {
            throw sized.error(
                    "1 to " + (regionSize - offset) + " bytes, which are left in the region",
                    "found " + Long.toUnsignedString(size));
        }
        return new FilledRange(offset, size, pages, filling);
    }

    private static byte[] bytes(JsonValue value) {
        byte[] bytes = value.path().endsWith(".text")
                ? value.text().getBytes(StandardCharsets.UTF_8)
                : value.bytes();
        if (bytes.length == 0) {
            throw value.wrong("at least one byte");
        }
        return bytes;
    }

    private Filling filling(JsonValue json, String kind) {
        JsonValue value = json.get(kind);
        return switch (kind) {
            case "zero" -> {
                value.requireTrue();
                yield new Filling.Zero();
            }
            case "unreadable" -> {
                value.requireTrue();
                yield new Filling.Unreadable();
            }
            case "fill" -> new Filling.Repeat(new byte[] {(byte) value.number(0, 0xff)});
            case "repeat" -> repeat(bytes(value));
            case "file" -> slice(json);
            case "address" -> {
                value.only("multiply", "add", "xor");
                yield new Filling.AddressPattern(
                        value.number("multiply", 1), value.number("add", 0), value.number("xor", 0));
            }
            case "pageNumber" -> {
                value.only("multiply", "add");
                yield new Filling.PageNumberPattern(value.number("multiply", 1), value.number("add", 0));
            }
            default -> throw new IllegalStateException(kind);
        };
    }

    /** Copies of a short period side by side, so that filling takes large steps. */
    private static Filling repeat(byte[] period) {
        if (period.length == 1 || period.length >= GOOD_PERIOD) {
            return new Filling.Repeat(period);
        }
        byte[] longer = new byte[GOOD_PERIOD / period.length * period.length];
        for (int at = 0; at < longer.length; at += period.length) {
            System.arraycopy(period, 0, longer, at, period.length);
        }
        return new Filling.Repeat(longer);
    }

    private Filling slice(JsonValue json) {
        if (json.has("pages")) {
            throw json.get("pages").wrong("no choice of pages for a piece out of a file");
        }
        DescriptionFiles.Slice slice = files.slice(json);
        return new Filling.Slice(slice.file(), slice.offset());
    }

    /** {@code once} is the length of bytes that stand in each page one time, or 0. */
    private static PageChoice pages(JsonValue json, int once) {
        json.only("modulo", "remainders", "offset", "size");
        long modulo = json.find("modulo").map(value -> value.number(1, Long.MAX_VALUE)).orElse(1L);
        long[] remainders = {0};
        if (json.has("remainders")) {
            JsonValue list = json.get("remainders");
            remainders = list.elements().stream()
                    .mapToLong(value -> value.number(0, modulo - 1))
                    .sorted()
                    .distinct()
                    .toArray();
            if (remainders.length == 0) {
                throw list.wrong("at least one remainder");
            }
        } else if (modulo > 1) {
            throw json.error("the key 'remainders' beside 'modulo'", "found none of that name");
        }
        int offset = json.find("offset")
                .map(value -> (int) value.number(0, PageChoice.PAGE_SIZE - 1))
                .orElse(0);
        int left = PageChoice.PAGE_SIZE - offset;
        int size;
        if (once > 0) {
            json.find("size").ifPresent(value -> {
                throw value.wrong("no size here: the part of each page is as long as the bytes for it");
            });
            size = once;
            if (size > left) {
                throw json.error("at most " + left + " bytes, which are left in the page", "found " + size);
            }
        } else {
            size = json.find("size").map(value -> (int) value.number(1, left)).orElse(left);
        }
        return new PageChoice(modulo, remainders, offset, size);
    }
}

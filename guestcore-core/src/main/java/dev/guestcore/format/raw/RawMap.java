package dev.guestcore.format.raw;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.file.FileBytes;
import dev.guestcore.file.FileSet;
import dev.guestcore.file.StoredStream;
import dev.guestcore.internal.file.IoReason;
import dev.guestcore.internal.memory.FileMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.FileUse;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/**
 * The map beside a raw image, {@code FILE.map.json} (docs/formats/raw.md).
 *
 * @param imageSize size that the image should have
 * @param architecture processor family
 * @param ranges what lies where in the image; beside each range an offset or a mark of {@link FileMemory}
 * @param regions the regions; beside each its kind, and above that the index of its name
 * @param names names of regions
 * @param namesLeftOut how many regions lost their names, because there are too many different ones
 */
record RawMap(
        long imageSize,
        Architecture architecture,
        Extents ranges,
        Extents regions,
        List<String> names,
        long namesLeftOut) {

    static final String SUFFIX = ".map.json";
    static final String FORMAT = "guestcore raw map";
    static final int VERSION = 1;

    private static final MemoryRegion.Kind[] KINDS = MemoryRegion.Kind.values();
    private static final int KIND_BITS = 8;
    private static final int LONGEST_TEXT = 1 << 16;

    /** More names than this are not kept, so that a hostile map cannot fill the heap with them. */
    static final int MOST_NAMES = 1 << 12;

    private static final String HOLE = "hole";

    /** Name of the map that belongs to an image, which lies beside it. */
    static String nameFor(FileSet image) {
        return image.lastName() + SUFFIX;
    }

    /** Whether all that is in the image lies where its guest-physical address is. */
    boolean isFlat() {
        for (long i = 0; i < ranges.count(); i++) {
            if (ranges.value(i) >= 0 && ranges.value(i) != ranges.first(i)) {
                return false;
            }
        }
        return true;
    }

    /** A place of the image that two ranges name, in words; empty if there is none. */
    String sharing() {
        try (Arena scratch = Arena.ofConfined()) {
            FileUse use = new FileUse(scratch);
            for (long i = 0; i < ranges.count(); i++) {
                long size = ranges.last(i) - ranges.first(i) + 1;
                if (ranges.value(i) >= 0 && size > 0) {
                    use.add(ranges.value(i), size, ranges.first(i) - ranges.value(i));
                }
            }
            FileUse.Result result = use.result(imageSize, (offset, size, next) -> true);
            return result.overlaps() == 0 ? "" : "the bytes at offset 0x" + Long.toHexString(result.overlapAt())
                    + " are memory at 0x" + Long.toHexString(result.overlapAt() + result.overlappedMark())
                    + " and at 0x"
                    + Long.toHexString(result.overlapAt() + result.overlapMark()) + " at once";
        }
    }

    /** Region {@code index}. */
    MemoryRegion region(long index) {
        long value = regions.value(index);
        return new MemoryRegion(
                new AddressRange(regions.first(index), regions.last(index)),
                KINDS[(int) (value & (1 << KIND_BITS) - 1)],
                names.get((int) (value >>> KIND_BITS)));
    }

    /**
     * Reads the map beside an image.
     *
     * @param arena how long its tables live
     * @return empty if there is none
     * @throws MalformedDumpException if it is none, or breaks a rule
     * @throws SourceException if it cannot be read, or is a link that leads elsewhere
     */
    static Optional<RawMap> beside(FileSet image, Arena arena) {
        return image.beside(nameFor(image)).map(map -> read(map, arena));
    }

    private static RawMap read(FileBytes map, Arena arena) {
        JsonFactory json = JsonFactory.builder()
                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxStringLength(LONGEST_TEXT)
                        .maxNameLength(LONGEST_TEXT)
                        .build())
                .build();
        try (InputStream input = new BufferedInputStream(new StoredStream(map, 0));
                JsonParser parser = json.createParser(ObjectReadContext.empty(), input)) {
            return new Reader(map.name(), parser, arena).read();
        } catch (JacksonException e) {
            throw new MalformedDumpException(
                    map.name(),
                    e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getByteOffset()),
                    "map of a raw image",
                    "JSON",
                    e.getOriginalMessage(),
                    "write the image again, or open it without its map as raw:FILE@BASE");
        } catch (IOException e) {
            throw new SourceException(map.name() + ": cannot be read: " + IoReason.of(e), e);
        }
    }

    private static final class Reader {

        private final String map;
        private final JsonParser parser;
        private final Extents.Builder ranges;
        private final Extents.Builder regions;
        private final List<String> names = new ArrayList<>(List.of(""));
        private long namesLeftOut;
        private final Map<String, Integer> nameIndex = new HashMap<>(Map.of("", 0));

        Reader(String map, JsonParser parser, Arena arena) {
            this.map = map;
            this.parser = parser;
            this.ranges = new Extents.Builder(arena);
            this.regions = new Extents.Builder(arena);
        }

        private MalformedDumpException malformed(String field, String expected, String found) {
            return new MalformedDumpException(
                    map,
                    Math.max(0, parser.currentTokenLocation().getByteOffset()),
                    field,
                    expected,
                    found,
                    "write the image again, or open it without its map as raw:FILE@BASE");
        }

        RawMap read() {
            expect(parser.nextToken(), JsonToken.START_OBJECT, "map of a raw image");
            String format = "";
            long version = -1;
            long imageSize = -1;
            Architecture architecture = Architecture.UNKNOWN;
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (name) {
                    case "format" -> format = text(value, name);
                    case "version" -> version = number(value, name);
                    case "imageSize" -> imageSize = number(value, name);
                    case "architecture" -> architecture = architecture(text(value, name), name);
                    case "ranges" -> readRanges(value);
                    default -> parser.skipChildren();
                }
            }
            if (!format.equals(FORMAT)) {
                throw malformed("format", "\"" + FORMAT + "\"", "\"" + format + "\"");
            }
            if (version != VERSION) {
                throw malformed("version", Integer.toString(VERSION), Long.toString(version));
            }
            if (imageSize < 0) {
                throw malformed("imageSize", "a size", "none");
            }
            return new RawMap(imageSize, architecture, ranges.build(), regions.build(), names, namesLeftOut);
        }

        private void readRanges(JsonToken value) {
            expect(value, JsonToken.START_ARRAY, "ranges");
            JsonToken next;
            while ((next = parser.nextToken()) != JsonToken.END_ARRAY) {
                expect(next, JsonToken.START_OBJECT, "range");
                readRange();
            }
        }

        private void readRange() {
            long address = 0;
            long size = 0;
            long offset = -1;
            String kind = "ram";
            String name = "";
            PageState state = PageState.PRESENT;
            boolean continues = false;
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String field = parser.currentName();
                JsonToken value = parser.nextToken();
                switch (field) {
                    case "address" -> address = number(value, field);
                    case "size" -> size = number(value, field);
                    case "offset" -> offset = number(value, field);
                    case "kind" -> kind = text(value, field);
                    case "name" -> name = text(value, field);
                    case "state" -> state = choice(PageState.values(), text(value, field), field);
                    case "continues" -> continues = value == JsonToken.VALUE_TRUE;
                    default -> parser.skipChildren();
                }
            }
            if (kind.equals(HOLE)) {
                return;
            }
            long last = address + (size - 1);
            if (size <= 0 || Long.compareUnsigned(last, address) < 0) {
                throw malformed("size of a range", "1 to 2^63 - 1 bytes that end before 2^64",
                        "0x" + Long.toHexString(size) + " bytes at 0x" + Long.toHexString(address));
            }
            add(address, last, offset, choice(MemoryRegion.Kind.values(), kind, "kind"), name, state, continues);
        }

        private void add(
                long first, long last, long offset, MemoryRegion.Kind kind, String name, PageState state,
                boolean continues) {
            long stored = kind == MemoryRegion.Kind.DEVICE ? FileMemory.DEVICE : switch (state) {
                case PRESENT -> offset;
                case ZERO -> FileMemory.ZERO;
                case EXCLUDED -> FileMemory.EXCLUDED;
                case UNREADABLE -> FileMemory.UNREADABLE;
                case ABSENT -> FileMemory.DEVICE;
            };
            if (kind != MemoryRegion.Kind.DEVICE && state == PageState.PRESENT && offset < 0) {
                throw malformed("offset of a range", "0 to 2^63 - 1",
                        offset == -1 ? "none" : Long.toUnsignedString(offset));
            }
            if (!ranges.add(first, last, stored)) {
                throw malformed("address of a range", "one after the previous range",
                        "0x" + Long.toHexString(first));
            }
            long region = regions.count() - 1;
            if (continues && region >= 0 && regions.last(region) + 1 == first) {
                regions.extendLast(last);
            } else {
                regions.add(first, last, (long) index(name) << KIND_BITS | kind.ordinal());
            }
        }

        private int index(String name) {
            Integer known = nameIndex.get(name);
            if (known != null) {
                return known;
            }
            if (names.size() == MOST_NAMES) {
                namesLeftOut++;
                return 0;
            }
            nameIndex.put(name, names.size());
            names.add(name);
            return names.size() - 1;
        }

        private void expect(@Nullable JsonToken found, JsonToken expected, String what) {
            if (found != expected) {
                throw malformed(what, expected == JsonToken.START_ARRAY ? "a list" : "an object", describe(found));
            }
        }

        private String describe(@Nullable JsonToken token) {
            return token == null ? "the end of the file" : token.name().toLowerCase(Locale.ROOT).replace('_', ' ');
        }

        private String text(JsonToken value, String field) {
            if (value != JsonToken.VALUE_STRING) {
                throw malformed(field, "a text", describe(value));
            }
            return parser.getString();
        }

        /** A number up to 2^64 - 1: JSON, or a text in hexadecimal with 0x. */
        private long number(JsonToken value, String field) {
            try {
                if (value == JsonToken.VALUE_NUMBER_INT) {
                    return parser.getLongValue();
                }
                String text = text(value, field);
                return text.startsWith("0x")
                        ? Long.parseUnsignedLong(text.substring(2), 16)
                        : Long.parseUnsignedLong(text);
            } catch (NumberFormatException e) {
                throw malformed(field, "a number such as \"0x1000\"", "\"" + parser.getString() + "\"");
            }
        }

        private Architecture architecture(String text, String field) {
            return Architectures.named(text).orElseThrow(
                    () -> malformed(field, "one of " + String.join(", ", Architectures.names()), "\"" + text + "\""));
        }

        private <T extends Enum<T>> T choice(T[] values, String text, String field) {
            for (T value : values) {
                if (value.name().toLowerCase(Locale.ROOT).equals(text)) {
                    return value;
                }
            }
            List<String> known = new ArrayList<>();
            for (T value : values) {
                known.add(value.name().toLowerCase(Locale.ROOT));
            }
            throw malformed(field, "one of " + String.join(", ", known), "\"" + text + "\"");
        }
    }
}

package dev.guestcore.manifest;

import dev.guestcore.MemoryRegion;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.error.SourceException;
import dev.guestcore.internal.file.IoReason;
import dev.guestcore.internal.ranges.Extents;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.json.JsonFactory;

/** Reads a manifest as a stream: what is large goes outside the heap. */
final class ManifestReader {

    private static final JsonFactory FACTORY = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(8)
                    .maxNameLength(100)
                    .maxNumberLength(20)
                    .maxStringLength(1 << 20)
                    .build())
            .build();

    private static final String REMEDY = "take the manifest from where the dump was written";
    private static final int MOST_COMPANIONS = 100;
    private static final int MOST_LABELS = 10_000;

    private final Path path;
    private final RegionTable.Builder regions = new RegionTable.Builder();
    private final Extents.Builder segments = new Extents.Builder(Arena.ofAuto());
    private final PieceTable regionDigests = new PieceTable();
    private final List<ManifestContent.Companion> companions = new ArrayList<>();
    private PieceTable memory = new PieceTable();
    private PieceTable file = new PieceTable();
    private Map<String, String> fileFacts = Map.of();
    private Optional<Instant> written = Optional.empty();
    private boolean otherForm;
    private String format = "";
    private long version;
    private int labels;

    ManifestReader(Path path) {
        this.path = path;
    }

    ManifestContent read() {
        if (Files.exists(path) && !Files.isRegularFile(path)) {
            throw new SourceException(path + ": is not a regular file; name a manifest");
        }
        try (InputStream bytes = Files.newInputStream(path);
                JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), bytes)) {
            try {
                document(parser);
            } catch (JacksonException e) {
                throw malformed(parser, "JSON", "a manifest", firstLine(e.getOriginalMessage()));
            }
            ManifestContent content = content(parser);
            if (!SelfDigest.isWhole(path)) {
                throw malformed(parser, "before", "the digest of everything before it", "another");
            }
            return content;
        } catch (JacksonException e) {
            // The first bytes are those of no text at all.
            throw new MalformedDumpException(
                    path.toString(), 0, "JSON", "a manifest", firstLine(e.getOriginalMessage()), REMEDY);
        } catch (NoSuchFileException e) {
            throw new SourceException(path + ": no such file", e);
        } catch (IOException e) {
            throw new SourceException(path + ": cannot be read: " + IoReason.of(e), e);
        }
    }

    private static String firstLine(String message) {
        return message.lines().findFirst().orElse("something else");
    }

    private MalformedDumpException malformed(JsonParser parser, String field, String expected, String found) {
        return new MalformedDumpException(
                path.toString(),
                Math.max(0, parser.currentLocation().getByteOffset()),
                field,
                expected,
                found.length() > 200 ? found.substring(0, 200) + "…" : found,
                REMEDY);
    }

    private void document(JsonParser parser) {
        expect(parser, parser.nextToken(), JsonToken.START_OBJECT, "the manifest");
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (name) {
                case "format" -> format = text(parser, name);
                case "version" -> version = number(parser, name);
                case "pieces" -> each(parser, value, name, this::piece);
                case "file" -> fileFacts = facts(parser, name);
                case "written" -> written = Optional.of(time(parser, name));
                case "companions" -> each(parser, value, name, this::companion);
                case "memoryInOtherForm" -> otherForm = truth(parser, name);
                case "segments" -> each(parser, value, name, this::segment);
                case "regions" -> each(parser, value, name, this::region);
                default -> parser.skipChildren();
            }
        }
        if (parser.nextToken() != null) {
            throw malformed(parser, "end", "nothing after the manifest", "more");
        }
    }

    private interface Element {
        void read(JsonParser parser);
    }

    private void each(JsonParser parser, JsonToken token, String name, Element element) {
        expect(parser, token, JsonToken.START_ARRAY, name);
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            element.read(parser);
        }
    }

    private void expect(JsonParser parser, JsonToken found, JsonToken expected, String field) {
        if (found != expected) {
            throw malformed(parser, field, describe(expected), String.valueOf(found));
        }
    }

    private static String describe(JsonToken token) {
        return switch (token) {
            case START_OBJECT -> "an object";
            case START_ARRAY -> "a list";
            case VALUE_STRING -> "a text";
            case VALUE_NUMBER_INT -> "a whole number";
            default -> token.name();
        };
    }

    private String text(JsonParser parser, String field) {
        expect(parser, parser.currentToken(), JsonToken.VALUE_STRING, field);
        return parser.getString();
    }

    private Instant time(JsonParser parser, String field) {
        String text = text(parser, field);
        try {
            return Instant.parse(text);
        } catch (DateTimeParseException e) {
            throw malformed(parser, field, "a time such as 2026-01-31T12:00:00Z", text);
        }
    }

    private long number(JsonParser parser, String field) {
        expect(parser, parser.currentToken(), JsonToken.VALUE_NUMBER_INT, field);
        return parser.getLongValue();
    }

    private boolean truth(JsonParser parser, String field) {
        JsonToken value = parser.currentToken();
        if (value != JsonToken.VALUE_TRUE && value != JsonToken.VALUE_FALSE) {
            throw malformed(parser, field, "true or false", String.valueOf(value));
        }
        return value == JsonToken.VALUE_TRUE;
    }

    /** An object of texts and numbers. */
    private Map<String, String> facts(JsonParser parser, String field) {
        expect(parser, parser.currentToken(), JsonToken.START_OBJECT, field);
        Map<String, String> facts = new HashMap<>();
        while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (!value.isScalarValue() || facts.size() > 20) {
                throw malformed(parser, field + "." + name, "a text or a number", String.valueOf(value));
            }
            facts.put(name, parser.getString());
        }
        return facts;
    }

    private String fact(JsonParser parser, Map<String, String> facts, String name) {
        String value = facts.get(name);
        if (value == null) {
            throw malformed(parser, name, "a value", "none");
        }
        return value;
    }

    private long address(JsonParser parser, String field, String text) {
        try {
            if (text.startsWith("0x")) {
                return Long.parseUnsignedLong(text.substring(2), 16);
            }
        } catch (NumberFormatException e) {
            throw malformed(parser, field, "an address such as 0x1000", text);
        }
        throw malformed(parser, field, "an address such as 0x1000", text);
    }

    private void piece(JsonParser parser) {
        Map<String, String> facts = facts(parser, "piece");
        String forget = facts.get("forget");
        if (forget != null) {
            switch (forget) {
                case "memory" -> memory = new PieceTable();
                case "file" -> file = new PieceTable();
                default -> throw malformed(parser, "forget", "memory or file", forget);
            }
            return;
        }
        boolean isMemory = facts.containsKey("memory");
        String name = isMemory ? "memory" : "file";
        long first = address(parser, name, fact(parser, facts, name));
        byte[] digest = base64(parser, "sha256", fact(parser, facts, "sha256"));
        byte[] tags = base64(parser, "pages", fact(parser, facts, "pages"));
        if (digest.length != Sha256.SIZE) {
            throw malformed(parser, "sha256", Sha256.SIZE + " bytes", digest.length + " bytes");
        }
        (isMemory ? memory : file).add(first, digest, tags);
    }

    private byte[] base64(JsonParser parser, String field, String text) {
        try {
            return Base64.getDecoder().decode(text);
        } catch (IllegalArgumentException e) {
            throw malformed(parser, field, "base64", text);
        }
    }

    private String hexDigest(JsonParser parser, Map<String, String> facts) {
        String text = fact(parser, facts, "sha256");
        if (!text.matches("[0-9a-f]{64}")) {
            throw malformed(parser, "sha256", "64 hexadecimal digits", text);
        }
        return text;
    }

    private long size(JsonParser parser, Map<String, String> facts) {
        String text = fact(parser, facts, "size");
        try {
            long size = Long.parseLong(text);
            if (size >= 0) {
                return size;
            }
        } catch (NumberFormatException e) {
            throw malformed(parser, "size", "a size in bytes", text);
        }
        throw malformed(parser, "size", "a size in bytes", text);
    }

    private void companion(JsonParser parser) {
        Map<String, String> facts = facts(parser, "companion");
        String name = fact(parser, facts, "name");
        // The name is looked up beside the core, and must not lead anywhere else.
        boolean plain = !name.isEmpty()
                && !name.equals(".")
                && !name.equals("..")
                && name.chars().noneMatch(character -> character == '/' || character == '\\' || character == 0);
        if (!plain || companions.size() == MOST_COMPANIONS) {
            throw malformed(parser, "name", "the name of a file beside the dump", name);
        }
        companions.add(new ManifestContent.Companion(name, size(parser, facts), hexDigest(parser, facts)));
    }

    private void segment(JsonParser parser) {
        expect(parser, parser.currentToken(), JsonToken.START_ARRAY, "segment");
        parser.nextToken();
        long offset = address(parser, "offset", text(parser, "offset"));
        parser.nextToken();
        long address = address(parser, "address", text(parser, "address"));
        parser.nextToken();
        long size = address(parser, "size", text(parser, "size"));
        expect(parser, parser.nextToken(), JsonToken.END_ARRAY, "segment");
        if (offset < 0
                || size <= 0
                || offset > Long.MAX_VALUE - size
                || !segments.add(offset, offset + size - 1, address)) {
            throw malformed(
                    parser,
                    "segment",
                    "file offsets that ascend",
                    "0x" + Long.toHexString(offset) + ", size 0x" + Long.toHexString(size));
        }
    }

    private void region(JsonParser parser) {
        Map<String, String> facts = facts(parser, "region");
        long first = address(parser, "first", fact(parser, facts, "first"));
        long last = address(parser, "last", fact(parser, facts, "last"));
        String kindName = fact(parser, facts, "kind");
        MemoryRegion.Kind kind = null;
        for (MemoryRegion.Kind candidate : MemoryRegion.Kind.values()) {
            if (candidate.name().toLowerCase(Locale.ROOT).equals(kindName)) {
                kind = candidate;
            }
        }
        if (kind == null || kind == MemoryRegion.Kind.DEVICE) {
            throw malformed(parser, "kind", "ram or rom", kindName);
        }
        String name = labels < MOST_LABELS ? fact(parser, facts, "name") : "";
        labels += name.isEmpty() ? 0 : 1;
        if (Long.compareUnsigned(first, last) > 0
                || !regions.add(first, last, new RegionTable.Label(kind, name))) {
            throw malformed(parser, "region", "addresses that ascend", fact(parser, facts, "first"));
        }
        regionDigests.add(first, HexFormat.of().parseHex(hexDigest(parser, facts)), new byte[0]);
    }

    private ManifestContent content(JsonParser parser) {
        if (!format.equals(Manifest.FORMAT) || version != Manifest.VERSION) {
            throw malformed(
                    parser,
                    "format and version",
                    Manifest.FORMAT + " " + Manifest.VERSION,
                    (format.isEmpty() ? "none" : format) + " " + version);
        }
        RegionTable table = regions.build();
        checkPieces(parser, memory, table.ranges(), false);
        checkPieces(parser, file, table.ranges(), true);
        for (long i = 0; i < table.ranges().count(); i++) {
            if (!Arrays.equals(memory.regionDigest(table.ranges(), i), regionDigests.digest(i))) {
                throw malformed(
                        parser,
                        "sha256 of region 0x" + Long.toHexString(table.ranges().first(i)),
                        "the digest of its pieces",
                        "another");
            }
        }
        return new ManifestContent(
                fact(parser, fileFacts, "name"),
                size(parser, fileFacts),
                hexDigest(parser, fileFacts),
                fact(parser, fileFacts, "format"),
                written,
                List.copyOf(companions),
                otherForm,
                table,
                memory,
                file,
                segments.build());
    }

    private void checkPieces(JsonParser parser, PieceTable pieces, Extents ranges, boolean inFile) {
        String name = inFile ? "pieces of the file" : "pieces of memory";
        if (!pieces.sort()) {
            throw malformed(parser, name, "each piece once", "one twice");
        }
        for (long i = 0; i < pieces.count(); i++) {
            long first = pieces.first(i);
            long region = inFile ? Piece.FILE : ranges.floor(first);
            long block = first & -Piece.SIZE;
            if (!inFile && !ranges.contains(region, first)
                    || first != PieceCollector.firstOf(ranges, region, block)
                    || pieces.tags(i).length != PieceCollector.pages(ranges, region, block) * Piece.TAG) {
                throw malformed(
                        parser, name, "aligned pieces, a tag a page", "one at 0x" + Long.toHexString(first));
            }
        }
    }
}

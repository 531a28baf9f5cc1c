package dev.guestcore.internal.keep;

import dev.guestcore.facts.DumpFacts;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.JsonParser;
import tools.jackson.databind.DeserializationContext;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.SerializationContext;
import tools.jackson.databind.deser.std.StdDeserializer;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.module.SimpleModule;
import tools.jackson.databind.node.ObjectNode;
import tools.jackson.databind.ser.std.StdSerializer;

/**
 * Hypervisor facts as JSON, component by component of their records; frame tables and long notes stand beside the text as
 * blobs.
 */
final class FactsJson {

    /** Where a blob lies, counted from the first blob. */
    record BlobPlace(long offset, long size) {}

    private FactsJson() {}

    /** The name under which the facts of a class are kept. */
    static String name(Class<?> type) {
        return type.getSimpleName();
    }

    /** The class of facts with that name. */
    static Optional<Class<? extends DumpFacts>> type(String name) {
        return Stream.of(DumpFacts.class.getPermittedSubclasses())
                .filter(type -> name(type).equals(name))
                .<Class<? extends DumpFacts>>map(type -> type.asSubclass(DumpFacts.class))
                .findFirst();
    }

    /**
     * Writes facts.
     *
     * @param putFrames keeps a frame table beside the text
     * @param putContent keeps what a note says beside the text
     */
    static JsonNode write(
            DumpFacts facts,
            Function<FrameTable, BlobPlace> putFrames,
            Function<ElfFacts.Content, BlobPlace> putContent) {
        SimpleModule module = new SimpleModule();
        module.addSerializer(new FrameTableSerializer(putFrames));
        module.addSerializer(new NoteSerializer(putContent));
        module.addSerializer(new VersionSerializer());
        return JsonMapper.builder().addModule(module).build().valueToTree(facts);
    }

    /**
     * Reads facts.
     *
     * @param openFrames gives a frame table that lies beside the text
     * @param openContent gives what a note says that lies beside the text
     */
    static <T extends DumpFacts> T read(
            JsonNode json,
            Class<T> type,
            Function<FramesPlace, FrameTable> openFrames,
            Function<BlobPlace, ElfFacts.Content> openContent) {
        SimpleModule module = new SimpleModule();
        module.addDeserializer(FrameTable.class, new FrameTableDeserializer(openFrames));
        module.addDeserializer(ElfFacts.Note.class, new NoteDeserializer(openContent));
        module.addDeserializer(XenFacts.Version.class, new VersionDeserializer());
        if (type == XenFacts.class && json instanceof ObjectNode facts && facts.has("layout")) {
            // The name of that component in earlier records.
            facts.set("fileParts", facts.get("layout"));
        }
        return JsonMapper.builder().addModule(module).build().treeToValue(json, type);
    }

    /** A frame table in the text. */
    record FramesPlace(long offset, long size, boolean machineFrames) {}

    private static final class FrameTableSerializer extends StdSerializer<FrameTable> {

        private final Function<FrameTable, BlobPlace> putFrames;

        FrameTableSerializer(Function<FrameTable, BlobPlace> putFrames) {
            super(FrameTable.class);
            this.putFrames = putFrames;
        }

        @Override
        public void serialize(FrameTable table, JsonGenerator json, SerializationContext context) {
            BlobPlace place = putFrames.apply(table);
            json.writeStartObject();
            json.writeNumberProperty("offset", place.offset());
            json.writeNumberProperty("size", place.size());
            json.writeBooleanProperty("machineFrames", table.hasMachineFrames());
            json.writeEndObject();
        }
    }

    private static final class FrameTableDeserializer extends StdDeserializer<FrameTable> {

        private final Function<FramesPlace, FrameTable> openFrames;

        FrameTableDeserializer(Function<FramesPlace, FrameTable> openFrames) {
            super(FrameTable.class);
            this.openFrames = openFrames;
        }

        @Override
        public FrameTable deserialize(JsonParser json, DeserializationContext context) {
            JsonNode place = context.readTree(json);
            return openFrames.apply(new FramesPlace(
                    place.path("offset").asLong(-1),
                    place.path("size").asLong(-1),
                    place.path("machineFrames").asBoolean(false)));
        }
    }

    /** The content of a note stands in the text as long as it is short and they are few. */
    private static final class NoteSerializer extends StdSerializer<ElfFacts.Note> {

        private static final int LONGEST_IN_TEXT = 1 << 16;

        private final Function<ElfFacts.Content, BlobPlace> putContent;
        private long roomInText = 16 << 20;

        NoteSerializer(Function<ElfFacts.Content, BlobPlace> putContent) {
            super(ElfFacts.Note.class);
            this.putContent = putContent;
        }

        @Override
        public void serialize(ElfFacts.Note note, JsonGenerator json, SerializationContext context) {
            json.writeStartObject();
            json.writeStringProperty("name", note.name());
            json.writeNumberProperty("type", note.type());
            json.writeNumberProperty("vcpu", note.vcpu());
            long size = note.content().size();
            if (size <= Math.min(LONGEST_IN_TEXT, roomInText)) {
                roomInText -= size;
                json.writeName("descriptor");
                json.writeBinary(note.descriptor());
            } else {
                BlobPlace place = putContent.apply(note.content());
                json.writeNumberProperty("offset", place.offset());
                json.writeNumberProperty("size", place.size());
            }
            json.writeEndObject();
        }
    }

    private static final class NoteDeserializer extends StdDeserializer<ElfFacts.Note> {

        private final Function<BlobPlace, ElfFacts.Content> openContent;

        NoteDeserializer(Function<BlobPlace, ElfFacts.Content> openContent) {
            super(ElfFacts.Note.class);
            this.openContent = openContent;
        }

        @Override
        public ElfFacts.Note deserialize(JsonParser json, DeserializationContext context) {
            JsonNode note = context.readTree(json);
            return new ElfFacts.Note(
                    note.path("name").asString(""),
                    note.path("type").asLong(0),
                    note.has("descriptor")
                            ? ElfFacts.Content.of(note.path("descriptor").binaryValue())
                            : openContent.apply(new BlobPlace(
                                    note.path("offset").asLong(-1), note.path("size").asLong(-1))),
                    note.path("vcpu").asInt(ElfFacts.Note.LAST));
        }
    }

    private static final class VersionSerializer extends StdSerializer<XenFacts.Version> {

        VersionSerializer() {
            super(XenFacts.Version.class);
        }

        @Override
        public void serialize(XenFacts.Version version, JsonGenerator json, SerializationContext context) {
            json.writeStartObject();
            json.writeNumberProperty("major", version.major());
            json.writeNumberProperty("minor", version.minor());
            json.writeStringProperty("extra", version.extra());
            json.writeStringProperty("compiler", version.compiler());
            json.writeStringProperty("compiledBy", version.compiledBy());
            json.writeStringProperty("compileDomain", version.compileDomain());
            json.writeStringProperty("compileDate", version.compileDate());
            json.writeStringProperty("capabilities", version.capabilities());
            json.writeStringProperty("changeset", version.changeset());
            json.writeNumberProperty("virtualStart", version.virtualStart());
            json.writeNumberProperty("pageSize", version.pageSize());
            json.writeEndObject();
        }
    }

    private static final class VersionDeserializer extends StdDeserializer<XenFacts.Version> {

        VersionDeserializer() {
            super(XenFacts.Version.class);
        }

        @Override
        public XenFacts.Version deserialize(JsonParser json, DeserializationContext context) {
            JsonNode version = context.readTree(json);
            return XenFacts.Version.builder(version.path("major").asLong(0), version.path("minor").asLong(0))
                    .extra(version.path("extra").asString(""))
                    .compiler(version.path("compiler").asString(""))
                    .compiledBy(version.path("compiledBy").asString(""))
                    .compileDomain(version.path("compileDomain").asString(""))
                    .compileDate(version.path("compileDate").asString(""))
                    .capabilities(version.path("capabilities").asString(""))
                    .changeset(version.path("changeset").asString(""))
                    .virtualStart(version.path("virtualStart").asLong(0))
                    .pageSize(version.path("pageSize").asLong(0))
                    .build();
        }
    }
}

package dev.guestcore.internal.keep;

import dev.guestcore.hypervisor.FrameTable;
import dev.guestcore.hypervisor.HypervisorFacts;
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
import tools.jackson.databind.ser.std.StdSerializer;

/** Hypervisor facts as JSON, component by component of their records; frame tables stand beside the text as blobs. */
final class FactsJson {

    /** Where a blob lies, counted from the first blob. */
    record BlobPlace(long offset, long size) {}

    private FactsJson() {}

    /** The name under which the facts of a class are kept. */
    static String name(Class<?> type) {
        return type.getSimpleName();
    }

    /** The class of facts with that name. */
    static Optional<Class<? extends HypervisorFacts>> type(String name) {
        return Stream.of(HypervisorFacts.class.getPermittedSubclasses())
                .filter(type -> name(type).equals(name))
                .<Class<? extends HypervisorFacts>>map(type -> type.asSubclass(HypervisorFacts.class))
                .findFirst();
    }

    static JsonNode write(HypervisorFacts facts, Function<FrameTable, BlobPlace> putFrames) {
        SimpleModule module = new SimpleModule();
        module.addSerializer(new FrameTableSerializer(putFrames));
        return JsonMapper.builder().addModule(module).build().valueToTree(facts);
    }

    static <T extends HypervisorFacts> T read(
            JsonNode json, Class<T> type, Function<FramesPlace, FrameTable> openFrames) {
        SimpleModule module = new SimpleModule();
        module.addDeserializer(FrameTable.class, new FrameTableDeserializer(openFrames));
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
}

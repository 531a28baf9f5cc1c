package dev.guestcore.internal.migration;

import dev.guestcore.Finding;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.internal.check.CappedFindings;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.json.JsonFactory;

/**
 * The end of a migration stream: sections of devices, which carry no lengths, and the JSON text that describes them. The
 * text is read forward once and the sections beside it, device by device; each section's head and foot must stand where
 * the description says.
 *
 * <pre>
 * devices[]      name, instance_id, vmsd_name, version, fields[], subsections[]
 * fields[]       name, type, size in bytes, array_len (elements of that size); a struct has fields of its own
 * subsections[]  vmsd_name, version, fields[], subsections[]; in the data: 05, u8 length, name, u32 version, fields
 * </pre>
 */
final class DeviceSections {

    private static final long MOST_DESCRIPTION = 16L << 20;
    private static final int MOST_DESCRIPTIONS = 64;
    private static final int MOST_DEPTH = 64;
    private static final int MOST_VCPUS = 2048;

    /** Far above what QEMU gives any vCPU. */
    private static final int LARGEST_NUMBER = 0xffff;
    private static final int MOST_PCI_DEVICES = 512;
    private static final int MOST_NAMES = 4096;
    private static final int PCI_CONFIG = 256;

    private static final int END = 0x00;
    private static final int FULL = 0x04;
    private static final int SUBSECTION = 0x05;
    private static final int DESCRIPTION = 0x06;
    private static final int FOOTER = 0x7e;
    private static final int FOOTER_SIZE = 5;

    private final MemorySegment data;
    private final boolean more;
    private final long start;
    private final String stream;
    private CappedFindings findings = new CappedFindings();
    private final TreeMap<Long, OrderedCpu> cpus = new TreeMap<>();
    private final List<Apic> apics = new ArrayList<>();
    private final Set<String> devices = new HashSet<>();
    private final Map<String, byte[]> pciConfig = new HashMap<>();
    private Optional<byte[]> cmos = Optional.empty();
    private Optional<String> runState = Optional.empty();
    private boolean kvm;
    private long descriptionAt;
    private long at;

    /** Whether the device that is read has an array of pointers, whose data may be longer than its description. */
    private boolean pointers;

    private record Apic(long base, int priority) {}

    private record OrderedCpu(int order, VcpuSection state) {}

    /** What is wrong with description or data; ends the walk, and becomes a finding. */
    private static final class Mismatch extends Exception {

        private static final long serialVersionUID = 1L;

        Mismatch(String message) {
            super(message, null, false, false);
        }
    }

    /**
     * The sections of a stream.
     *
     * @param data from the first section of a device to the end of the stream, or as much as is kept
     * @param more whether there is more than is kept
     * @param start where {@code data} begins in the stream
     * @param stream what the stream is called in messages
     */
    DeviceSections(MemorySegment data, boolean more, long start, String stream) {
        this.data = data;
        this.more = more;
        this.start = start;
        this.stream = stream;
    }

    MachineState read(String machine, List<RamBlock> blocks) {
        try {
            readDescriptions();
            if (cpus.isEmpty()) {
                findings.add(
                        Finding.damage(stream + ": there is no vCPU of x86, arm64, riscv64 or s390x among the devices;"
                                + " only these have registers here"));
            }
        } catch (Mismatch e) {
            findings.add(Finding.damage(stream + ": " + e.getMessage()));
        }
        List<Integer> numbers = cpus.keySet().stream().map(Math::toIntExact).toList();
        Architecture architecture = cpus.isEmpty()
                ? Architecture.UNKNOWN
                : cpus.firstEntry().getValue().state().architecture();
        List<RegisterState> vcpus = decodeCpus();
        return new MachineState(machine, architecture, blocks, vcpus, numbers, devices, cmos, pciConfig, runState,
                findings.list());
    }

    private Mismatch mismatch(long offset, String expected, String found) {
        return new Mismatch(
                "at offset 0x" + Long.toHexString(start + offset) + ": expected " + expected + ", found " + found
                        + "; the devices' state cannot be read from here on, memory is not affected");
    }

    /**
     * The description is the last thing in the stream, but other things may lie behind the stream, and devices' data can hold
     * anything: so every place that looks like one is tried, from the end on.
     */
    private void readDescriptions() throws Mismatch {
        Mismatch first = null;
        long before = data.byteSize();
        for (int tried = 0; tried < MOST_DESCRIPTIONS; tried++) {
            MemorySegment text = findDescription(before);
            if (text == null) {
                break;
            }
            try {
                forget();
                readDescription(text);
                tellOfRest(descriptionAt + 5 + text.byteSize());
                return;
            } catch (Mismatch e) {
                first = first == null ? e : first;
                before = descriptionAt;
            }
        }
        if (first == null) {
            throw new Mismatch(more
                    ? "the description of the devices is not within " + (data.byteSize() >> 20)
                            + " MiB after the memory, so"
                            + " the devices' state, including the registers, cannot be read; a device with memory of"
                            + " its own (a"
                            + " passed-through one) may have so much; memory is not affected"
                    : "the description of the devices is missing at the stream's end, so their state, registers among"
                            + " it, cannot be read; the stream is cut short, or QEMU wrote it with -machine"
                            + " suppress-vmdesc=on; memory is not affected");
        }
        // What the last one gave before it failed is kept.
        forget();
        MemorySegment last = findDescription(data.byteSize());
        if (last != null) {
            readDescription(last);
        }
        throw first;
    }

    private void forget() {
        at = 0;
        cpus.clear();
        apics.clear();
        devices.clear();
        pciConfig.clear();
        cmos = Optional.empty();
        runState = Optional.empty();
        kvm = false;
        findings = new CappedFindings();
    }

    private void tellOfRest(long end) {
        if (end < data.byteSize() || more) {
            findings.add(Finding.note(stream + ": the stream ends at offset 0x" + Long.toHexString(start + end)
                    + "; what follows is not part of it"));
        }
    }

    /** The last place before an offset that looks like a description; null if there is none. */
    private @Nullable MemorySegment findDescription(long before) {
        for (long position = Math.min(before - 1, data.byteSize() - 7); position >= 0; position--) {
            if (data.get(ValueLayout.JAVA_BYTE, position) == DESCRIPTION
                    && data.get(ValueLayout.JAVA_BYTE, position + 5) == '{') {
                long length = data.get(StreamBuffer.U32, position + 1) & 0xffffffffL;
                if (length >= 2 && length <= data.byteSize() - position - 5 && length <= MOST_DESCRIPTION
                        && data.get(ValueLayout.JAVA_BYTE, position + 5 + length - 1) == '}') {
                    descriptionAt = position;
                    return data.asSlice(position + 5, length);
                }
            }
        }
        return null;
    }

    private void readDescription(MemorySegment text) throws Mismatch {
        // Names are not gathered in a table, which a hostile text could make grow.
        JsonFactory factory = JsonFactory.builder()
                .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MOST_DEPTH)
                        .maxStringLength(4096)
                        .maxNameLength(256)
                        .maxNumberLength(32)
                        .build())
                .build();
        try (JsonParser json = factory.createParser(ObjectReadContext.empty(), new SegmentStream(text))) {
            if (json.nextToken() != JsonToken.START_OBJECT) {
                throw badDescription("an object");
            }
            while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                String key = json.currentName();
                json.nextToken();
                if (key.equals("page_size")) {
                    if (json.currentToken() != JsonToken.VALUE_NUMBER_INT || json.getLongValue() != RamSink.PAGE_SIZE) {
                        throw badDescription("page_size 4096");
                    }
                } else if (key.equals("devices")) {
                    if (json.currentToken() != JsonToken.START_ARRAY) {
                        throw badDescription("a list of devices");
                    }
                    while (json.nextToken() == JsonToken.START_OBJECT) {
                        readDevice(json);
                    }
                } else {
                    json.skipChildren();
                }
            }
        } catch (JacksonException e) {
            throw badDescription("JSON (" + e.getOriginalMessage().replaceAll("\\p{Cntrl}.*", "") + ")");
        }
        if (at != descriptionAt && !(at == descriptionAt - 1 && byteAt(at) == END)) {
            throw mismatch(at, "the end of the devices' sections at 0x" + Long.toHexString(start + descriptionAt - 1),
                    byteAt(at) < 0 ? "the end of the stream" : String.format("%02x", byteAt(at)));
        }
    }

    private Mismatch badDescription(String expected) {
        return new Mismatch("at offset 0x" + Long.toHexString(start + descriptionAt) + ": description of the devices:"
                + " expected " + expected + "; the devices' state cannot be read, memory is not affected");
    }

    private void readDevice(JsonParser json) throws Mismatch {
        String name = null;
        long instance = -1;
        long version = -1;
        int section = -1;
        DeviceFields fields = null;
        pointers = false;
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = json.currentName();
            json.nextToken();
            switch (key) {
                case "name" -> name = json.getValueAsString("");
                case "instance_id" -> instance = json.getValueAsLong(-1);
                case "version" -> version = json.getValueAsLong(-1);
                case "fields" -> {
                    if (name == null || fields != null) {
                        throw badDescription("a device's name before its fields");
                    }
                    section = readHead(name, instance, version);
                    fields = new DeviceFields(data, isWanted(name));
                    readFields(json, fields, fields.top());
                }
                case "subsections" -> {
                    if (fields == null) {
                        throw badDescription("a device's fields before its subsections");
                    }
                    readSubsections(json, fields);
                }
                default -> json.skipChildren();
            }
        }
        if (name == null) {
            throw badDescription("a device's name");
        }
        if (fields == null) {
            section = readHead(name, instance, version);
        }
        readFoot(name, section);
        if (fields != null) {
            use(name, instance, fields);
        }
    }

    private int readHead(String name, long instance, long version) throws Mismatch {
        byte[] expected = name.getBytes(StandardCharsets.UTF_8);
        long size = 1L + 4 + 1 + expected.length + 4 + 4;
        if (descriptionAt - at < size || byteAt(at) != FULL || byteAt(at + 5) != expected.length
                || MemorySegment.mismatch(data, at + 6, at + 6 + expected.length,
                        MemorySegment.ofArray(expected), 0, expected.length) != -1) {
            throw mismatch(at, "the section of device " + shorten(name), foundAt(at));
        }
        int section = data.get(StreamBuffer.U32, at + 1);
        long foundInstance = data.get(StreamBuffer.U32, at + 6 + expected.length) & 0xffffffffL;
        long foundVersion = data.get(StreamBuffer.U32, at + 10 + expected.length) & 0xffffffffL;
        if (foundInstance != (instance & 0xffffffffL) || version >= 0 && foundVersion != version) {
            throw mismatch(at, "instance " + instance + " and version " + version + " of device " + shorten(name),
                    foundInstance + " and " + foundVersion);
        }
        at += size;
        return section;
    }

    /** Machine types before QEMU 2.4 have no feet: then the next head or the end is the check. */
    private void readFoot(String name, int section) throws Mismatch {
        if (pointers) {
            skipToFoot(section);
        }
        int next = byteAt(at);
        if (next == FOOTER) {
            if (descriptionAt - at < FOOTER_SIZE || data.get(StreamBuffer.U32, at + 1) != section) {
                throw mismatch(at, "the foot of section " + Integer.toUnsignedString(section) + " of device "
                        + shorten(name), foundAt(at));
            }
            at += FOOTER_SIZE;
        } else if (next != FULL && next != END && at != descriptionAt) {
            throw mismatch(at, "the foot of section " + Integer.toUnsignedString(section) + " of device "
                    + shorten(name), foundAt(at));
        }
    }

    /** To the foot of a section that is longer than its description says, with the next head or the end behind it. */
    private void skipToFoot(int section) {
        for (long place = at; place <= descriptionAt - FOOTER_SIZE; place++) {
            int behind = byteAt(place + FOOTER_SIZE);
            if (byteAt(place) == FOOTER && data.get(StreamBuffer.U32, place + 1) == section
                    && (behind == FULL || behind == END || behind == DESCRIPTION)) {
                at = place;
                return;
            }
        }
    }

    private String foundAt(long offset) {
        long size = Math.min(8, data.byteSize() - offset);
        if (size <= 0) {
            return "the end of the stream";
        }
        StringBuilder bytes = new StringBuilder();
        for (long i = 0; i < size; i++) {
            bytes.append(String.format("%02x ", byteAt(offset + i)));
        }
        return bytes.toString().strip();
    }

    private int byteAt(long offset) {
        return offset >= 0 && offset < data.byteSize() ? data.get(ValueLayout.JAVA_BYTE, offset) & 0xff : -1;
    }

    private static String shorten(String text) {
        String printable = text.replaceAll("[^ -~]", "?");
        return printable.length() > 80 ? printable.substring(0, 80) : printable;
    }

    /** Reads a list of fields and moves on in the data by what they take. */
    private void readFields(JsonParser json, DeviceFields device, List<DeviceFields.Field> into) throws Mismatch {
        if (json.currentToken() != JsonToken.START_ARRAY) {
            throw badDescription("a list of fields");
        }
        while (json.nextToken() == JsonToken.START_OBJECT) {
            readField(json, device, into);
        }
    }

    private void readField(JsonParser json, DeviceFields device, List<DeviceFields.Field> into) throws Mismatch {
        String name = "";
        String type = "";
        String structure = "";
        long size = -1;
        long count = 1;
        long field = at;
        List<DeviceFields.Field> children = new ArrayList<>();
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = json.currentName();
            json.nextToken();
            switch (key) {
                case "name" -> name = json.getValueAsString("");
                case "type" -> type = json.getValueAsString("");
                case "size" -> size = json.getValueAsLong(-1);
                case "array_len" -> count = json.getValueAsLong(-1);
                case "struct" -> structure = readStructure(json, device, children);
                default -> json.skipChildren();
            }
        }
        if (size < 0 || count < 0 || size != 0 && count > (descriptionAt - field) / size) {
            throw mismatch(field, "field " + shorten(name) + " of " + count + " times " + size + " bytes",
                    (descriptionAt - field) + " bytes up to the description");
        }
        // The first pointer of an array is null; QEMU before 10 describes all others like it.
        pointers |= type.equals("struct") && structure.isEmpty() && count > 1;
        at = field + size * count;
        device.add(into, new DeviceFields.Field(name, type, structure, field, size, count, children));
    }

    /** Fields of an array's first element; where the next field begins its size says. */
    private String readStructure(JsonParser json, DeviceFields device, List<DeviceFields.Field> into) throws Mismatch {
        if (json.currentToken() != JsonToken.START_OBJECT) {
            throw badDescription("a structure");
        }
        String name = "";
        while (json.nextToken() == JsonToken.PROPERTY_NAME) {
            String key = json.currentName();
            json.nextToken();
            switch (key) {
                case "vmsd_name" -> name = json.getValueAsString("");
                case "fields" -> readFields(json, device, into);
                case "subsections" -> readSubsections(json, device);
                default -> json.skipChildren();
            }
        }
        return name;
    }

    private void readSubsections(JsonParser json, DeviceFields device) throws Mismatch {
        if (json.currentToken() != JsonToken.START_ARRAY) {
            throw badDescription("a list of subsections");
        }
        while (json.nextToken() == JsonToken.START_OBJECT) {
            String name = null;
            long version = -1;
            boolean headRead = false;
            while (json.nextToken() == JsonToken.PROPERTY_NAME) {
                String key = json.currentName();
                json.nextToken();
                switch (key) {
                    case "vmsd_name" -> name = json.getValueAsString("");
                    case "version" -> version = json.getValueAsLong(-1);
                    case "fields" -> {
                        if (name == null) {
                            throw badDescription("a subsection's name before its fields");
                        }
                        readSubsectionHead(name, version);
                        headRead = true;
                        readFields(json, device, device.top());
                    }
                    case "subsections" -> readSubsections(json, device);
                    default -> json.skipChildren();
                }
            }
            if (!headRead) {
                throw badDescription("fields of subsection " + shorten(Objects.requireNonNullElse(name, "")));
            }
        }
    }

    private void readSubsectionHead(String name, long version) throws Mismatch {
        byte[] expected = name.getBytes(StandardCharsets.UTF_8);
        long size = 1L + 1 + expected.length + 4;
        if (descriptionAt - at < size || byteAt(at) != SUBSECTION || byteAt(at + 1) != expected.length
                || MemorySegment.mismatch(data, at + 2, at + 2 + expected.length,
                        MemorySegment.ofArray(expected), 0, expected.length) != -1
                || version >= 0 && (data.get(StreamBuffer.U32, at + 2 + expected.length) & 0xffffffffL) != version) {
            throw mismatch(at, "subsection " + shorten(name) + " of version " + version, foundAt(at));
        }
        at += size;
    }

    private static boolean isWanted(String name) {
        return name.equals("cpu") || name.equals("apic") || name.equals("mc146818rtc") || name.equals("globalstate")
                || name.indexOf(':') >= 0;
    }

    private void use(String name, long instance, DeviceFields fields) throws Mismatch {
        if (devices.size() < MOST_NAMES) {
            devices.add(name);
        }
        switch (name) {
            case "cpu" -> {
                if (cpus.size() == MOST_VCPUS) {
                    throw badDescription("at most " + MOST_VCPUS + " vCPUs");
                }
                Optional<VcpuSection> cpu = VcpuSection.read(fields).filter(this::isLikeOthers);
                if (instance < 0 || instance > LARGEST_NUMBER || cpu.isEmpty()
                        || cpus.putIfAbsent(instance, new OrderedCpu(cpus.size(), cpu.get())) != null) {
                    findings.add(Finding.damage(stream + ": vCPU " + instance
                            + " is not described as an x86 vCPU, is described twice, or has an impossible number;"
                            + " its registers cannot be read"));
                }
            }
            case "apic" -> {
                Optional<DeviceFields.Field> base = fields.field("apicbase");
                Optional<DeviceFields.Field> priority = fields.field("tpr");
                if (base.isPresent() && priority.isPresent() && apics.size() < MOST_VCPUS) {
                    apics.add(new Apic(fields.number(base.get(), 0), (int) fields.number(priority.get(), 0)));
                }
            }
            case "mc146818rtc" -> cmos = fields.field("cmos_data")
                    .filter(field -> field.size() == 128)
                    .map(fields::bytes);
            case "globalstate" -> runState = fields.field("runstate")
                    .filter(field -> field.size() > 0 && field.size() <= 256)
                    .map(field -> StreamBuffer.printable(MemorySegment.ofArray(fields.bytes(field))).replaceAll("\\?.*",
                            ""))
                    .filter(text -> !text.isEmpty());
            case "kvmclock" -> kvm = true;
            default -> {
                if (pciConfig.size() < MOST_PCI_DEVICES) {
                    fields.ofType("pci config")
                            .filter(field -> field.size() >= PCI_CONFIG)
                            .ifPresent(field -> pciConfig.putIfAbsent(name, fields.bytes(field, PCI_CONFIG)));
                }
            }
        }
    }

    private boolean isLikeOthers(VcpuSection section) {
        return cpus.isEmpty() || cpus.firstEntry().getValue().state().architecture() == section.architecture();
    }

    /** Local interrupt controllers come in the order of their vCPUs, by numbers of their own. */
    private List<RegisterState> decodeCpus() {
        List<RegisterState> states = new ArrayList<>();
        boolean apicEach = apics.size() == cpus.size();
        while (!cpus.isEmpty()) {
            OrderedCpu cpu = cpus.pollFirstEntry().getValue();
            RegisterState.Builder registers = cpu.state().registers(kvm);
            int number = states.size();
            cpu.state().lost().ifPresent(what -> findings.add(
                    Finding.note(stream + ": of vCPU " + number + ": " + what)));
            if (apicEach && cpu.state().architecture() == Architectures.X86) {
                Apic apic = apics.get(cpu.order());
                registers.set(X86.APIC_BASE, apic.base());
                registers.set(X86.CR8, apic.priority() >> 4);
            }
            states.add(registers.build());
        }
        return states;
    }

    /** A segment as a stream of bytes. */
    private static final class SegmentStream extends InputStream {

        private final MemorySegment bytes;
        private long next;

        SegmentStream(MemorySegment bytes) {
            this.bytes = bytes;
        }

        @Override
        public int read() throws IOException {
            return next < bytes.byteSize() ? bytes.get(ValueLayout.JAVA_BYTE, next++) & 0xff : -1;
        }

        @Override
        public int read(byte[] target, int offset, int length) {
            int count = (int) Math.min(length, bytes.byteSize() - next);
            if (count <= 0) {
                return length == 0 ? 0 : -1;
            }
            MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, next, target, offset, count);
            next += count;
            return count;
        }
    }
}

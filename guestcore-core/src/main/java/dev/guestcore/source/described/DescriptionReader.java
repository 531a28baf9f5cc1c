package dev.guestcore.source.described;

import dev.guestcore.AddressRange;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Provenance;
import dev.guestcore.RawContext;
import dev.guestcore.RegionContents;
import dev.guestcore.RegionMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.SourceException;
import dev.guestcore.facts.VirtualBoxFacts;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import java.math.BigInteger;
import java.nio.file.Path;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.json.JsonMapper;

/** Reads guest.json. The grammar is docs/described-guest.md. */
final class DescriptionReader {

    /** Above that no hypervisor numbers vCPUs. */
    private static final long MOST_NUMBER = 0xffff;

    /** Both bound the heap that a description takes; what is larger belongs into files beside it. */
    private static final int LARGEST_FILE = 4 << 20;

    private static final int MOST_TOKENS = 400_000;

    private static final JsonMapper MAPPER = JsonMapper.builder(JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxTokenCount(MOST_TOKENS)
                    .build())
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build())
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .build();

    private static final Pattern VIRTUALBOX_VERSION =
            Pattern.compile("([0-9]{1,3})\\.([0-9]{1,3})\\.([0-9]{1,5})");

    private final String name;
    private final DescriptionFiles files;

    private DescriptionReader(String name, DescriptionFiles files) {
        this.name = name;
        this.files = files;
    }

    /**
     * Reads a description.
     *
     * @throws SourceException if the file cannot be read or breaks a rule
     */
    static Description read(Path path) {
        byte[] text;
        try (FileBytes file = FileBytes.openAsStored(path)) {
            if (file.size() > LARGEST_FILE) {
                throw new SourceException(path + ": expected the description of a guest of at most " + LARGEST_FILE
                        + " bytes, found " + file.size() + "; put large contents into files beside it");
            }
            text = file.bytes(0, (int) file.size(), "description");
        }
        DescriptionFiles files = new DescriptionFiles(path.toAbsolutePath().resolveSibling(""));
        try {
            JsonValue root = JsonValue.root(path.toString(), MAPPER.readTree(text));
            return new DescriptionReader(path.toString(), files).description(root);
        } catch (JacksonException e) {
            files.close();
            throw new SourceException(
                    path + place(e.getLocation()) + ": expected JSON, found: "
                            + e.getOriginalMessage().lines().findFirst().orElse("nothing"),
                    e);
        } catch (RuntimeException | Error e) {
            files.close();
            throw e;
        }
    }

    /** Where the text breaks the rules of JSON; a rule about the whole of it has no place. */
    private static String place(@Nullable TokenStreamLocation location) {
        return location == null ? "" : ": line " + location.getLineNr() + ", column " + location.getColumnNr();
    }

    private Description description(JsonValue root) {
        root.only("architecture", "provenance", "background", "regions", "vcpus", "virtualbox", "xen");
        Architecture architecture = root.find("architecture")
                .map(value -> Architectures.named(value.text())
                        .orElseThrow(() -> value.wrong("one of " + String.join(", ", Architectures.names()))))
                .orElseGet(() -> architectureOfRegisters(root));
        List<RegionMemory.Part> parts = regions(root);
        List<Vcpu> vcpus = new ArrayList<>();
        for (JsonValue vcpu : root.elements("vcpus")) {
            int least = vcpus.isEmpty() ? 0 : vcpus.getLast().index() + 1;
            int number = vcpu.find("number")
                    .map(value -> (int) value.number(least, MOST_NUMBER))
                    .orElse(least);
            vcpus.add(vcpu(vcpu, number, architecture));
        }
        RegionMemory memory = new RegionMemory(parts);
        Optional<XenFacts> xen = root.find("xen").map(value -> XenReader.facts(value, files));
        return new Description(
                name,
                architecture,
                provenance(root.find("provenance")),
                memory,
                xen.flatMap(facts -> XenReader.machineMemory(facts, memory, root.get("xen"))),
                vcpus,
                root.find("virtualbox").map(this::virtualBox),
                xen,
                files);
    }

    /** The architecture that has most of the registers that are named; if several do, or none, it stays open. */
    private static Architecture architectureOfRegisters(JsonValue root) {
        List<String> labels = root.elements("vcpus").stream()
                .flatMap(vcpu -> vcpu.find("registers").stream())
                .flatMap(registers -> registers.keys().stream())
                .distinct()
                .toList();
        ToLongFunction<Architecture> known =
                family -> labels.stream().filter(label -> family.register(label).isPresent()).count();
        long most = Architectures.all().stream().mapToLong(known).max().orElse(0);
        List<Architecture> best = Architectures.all().stream()
                .filter(family -> known.applyAsLong(family) == most)
                .toList();
        return most > 0 && best.size() == 1 ? best.getFirst() : Architecture.UNKNOWN;
    }

    private static <E extends Enum<E>> E oneOf(JsonValue value, E[] constants) {
        List<String> names = new ArrayList<>();
        for (E constant : constants) {
            String lower = constant.name().toLowerCase(Locale.ROOT);
            if (lower.equals(value.text())) {
                return constant;
            }
            names.add(lower);
        }
        throw value.wrong("one of " + String.join(", ", names));
    }

    private Provenance provenance(Optional<JsonValue> json) {
        json.ifPresent(value -> value.only("hypervisor", "hypervisorVersion", "takenAt"));
        Function<String, Optional<JsonValue>> find = key -> json.flatMap(value -> value.find(key));
        return new Provenance(
                "file:" + name,
                "described",
                "",
                find.apply("hypervisor").map(JsonValue::text),
                find.apply("hypervisorVersion").map(JsonValue::text),
                find.apply("takenAt").map(DescriptionReader::instant));
    }

    private static Instant instant(JsonValue value) {
        try {
            return Instant.parse(value.text());
        } catch (DateTimeParseException e) {
            throw value.wrong("a time such as 2026-01-31T12:00:00Z");
        }
    }

    private record PlacedRegion(JsonValue json, RegionMemory.Part part) {}

    private List<RegionMemory.Part> regions(JsonValue root) {
        ContentsReader contents = new ContentsReader(files);
        List<JsonValue> background = root.elements("background");
        List<PlacedRegion> placed = new ArrayList<>();
        for (JsonValue json : root.get("regions").elements()) {
            placed.add(new PlacedRegion(json, region(json, contents, background)));
        }
        placed.sort(Comparator.comparing(region -> region.part().region().range()));
        for (int i = 1; i < placed.size(); i++) {
            AddressRange before = placed.get(i - 1).part().region().range();
            AddressRange range = placed.get(i).part().region().range();
            if (before.overlaps(range)) {
                throw placed.get(i)
                        .json()
                        .error(
                                "regions that do not overlap",
                                "found " + range + " over " + before + " of "
                                        + placed.get(i - 1).json().path());
            }
        }
        return placed.stream().map(PlacedRegion::part).toList();
    }

    private static RegionMemory.Part region(JsonValue json, ContentsReader contents, List<JsonValue> background) {
        json.only("kind", "address", "size", "name", "contents");
        MemoryRegion.Kind kind = oneOf(json.get("kind"), MemoryRegion.Kind.values());
        long address = json.get("address").number();
        long size = json.get("size").number(1, Long.MAX_VALUE);
        if (Long.compareUnsigned(address, -size) > 0) {
            throw json.get("size").wrong("a region that ends below 2^64");
        }
        AddressRange range = AddressRange.ofSize(address, size);
        MemoryRegion region = new MemoryRegion(range, kind, json.text("name", ""));
        if (!region.hasContent()) {
            json.find("contents").ifPresent(value -> {
                throw value.wrong("no contents for a device");
            });
            return new RegionMemory.Part(region, RegionContents.absent());
        }
        return new RegionMemory.Part(region, contents.contents(range, background, json.elements("contents")));
    }

    private Vcpu vcpu(JsonValue json, int index, Architecture architecture) {
        json.only("number", "registers", "rawContexts");
        RegisterState.Builder registers = RegisterState.builder();
        json.find("registers").ifPresent(values -> {
            for (String label : values.keys()) {
                JsonValue value = values.get(label);
                Register register = architecture
                        .register(label)
                        .orElseThrow(() -> value.error(expectedRegister(architecture), "found this key"));
                registers.set(register, littleEndian(value, register.bits()));
            }
        });
        List<RawContext> contexts = new ArrayList<>();
        for (JsonValue context : json.elements("rawContexts")) {
            byte[] bytes = RawBytes.read(context, files, "kind");
            contexts.add(new RawContext(context.get("kind").text(), bytes));
        }
        return new Vcpu(index, registers.build(), contexts);
    }

    private static String expectedRegister(Architecture architecture) {
        if (architecture == Architecture.UNKNOWN) {
            return "the name of a register as in the manuals, or the key 'architecture' to tell whose it is";
        }
        List<Register> registers = architecture.registers();
        return registers.isEmpty()
                ? "no registers by name, only rawContexts, for " + architecture.title()
                : "the name of a register as in the manuals of " + architecture.title() + ", such as "
                        + registers.stream().limit(4).map(Register::label).collect(Collectors.joining(", "));
    }

    /** A number of any width: hexadecimal after "0x", or whatever {@link JsonValue#number} takes. */
    private static byte[] littleEndian(JsonValue value, int bits) {
        BigInteger number;
        if (value.isText() && value.text().matches("0[xX][0-9a-fA-F]{1,128}")) {
            number = new BigInteger(value.text().substring(2), 16);
        } else {
            number = new BigInteger(Long.toUnsignedString(value.number()));
        }
        if (number.bitLength() > bits) {
            throw value.wrong("at most " + bits + " bits");
        }
        byte[] bytes = new byte[bits / Byte.SIZE];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = number.shiftRight(Byte.SIZE * i).byteValue();
        }
        return bytes;
    }

    private VirtualBoxFacts virtualBox(JsonValue json) {
        json.only("version", "revision", "layout", "elfMachine", "extraNotes");
        List<VirtualBoxFacts.ExtraNote> notes = new ArrayList<>();
        for (JsonValue note : json.elements("extraNotes")) {
            notes.add(new VirtualBoxFacts.ExtraNote(RawBytes.read(note, files)));
        }
        return new VirtualBoxFacts(
                version(json.get("version")),
                (int) json.get("revision").number(0, 0xffffffffL),
                json.text("layout", ""),
                (int) json.find("elfMachine").map(value -> value.number(0, 0xffff)).orElse(62L).longValue(),
                notes);
    }

    /** "7.0.10", or the number as the core descriptor holds it. */
    private static int version(JsonValue value) {
        Matcher parts = VIRTUALBOX_VERSION.matcher(value.isText() ? value.text() : "");
        if (!parts.matches()) {
            return (int) value.number(0, 0xffffffffL);
        }
        int major = Integer.parseInt(parts.group(1));
        int minor = Integer.parseInt(parts.group(2));
        int build = Integer.parseInt(parts.group(3));
        if (major > 0xff || minor > 0xff || build > 0xffff) {
            throw value.wrong("a version up to 255.255.65535");
        }
        return major << 24 | minor << 16 | build;
    }
}

package dev.guestcore.internal.keep;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.GuestBuilder;
import dev.guestcore.GuestMemory;
import dev.guestcore.Provenance;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import dev.guestcore.file.FileBytes;
import dev.guestcore.internal.elf.ContentInFile;
import dev.guestcore.internal.file.Arenas;
import dev.guestcore.internal.memory.LazyMemory;
import dev.guestcore.internal.memory.RemappedMemory;
import dev.guestcore.internal.ranges.Extents;
import dev.guestcore.internal.ranges.LayeredExtents;
import java.lang.foreign.Arena;
import java.math.BigInteger;
import java.nio.ByteOrder;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.zip.CRC32C;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Reads a {@link KeepRecord}. Nothing in it is trusted: it may come from anywhere. */
final class KeepReader {

    private static final ByteOrder ORDER = ByteOrder.LITTLE_ENDIAN;
    private static final int LARGEST_JSON = 64 << 20;
    private static final int LARGEST_RAW_CONTEXT = 1 << 20;
    private static final int LARGEST_NUMBER = 0xffff;
    private static final int PAGE_SHIFT = 12;
    private static final long PAGE = 1L << PAGE_SHIFT;
    /** Frames beyond this have no 52-bit address. */
    private static final long MOST_FRAMES = 1L << 40;
    private static final String REMEDY = "the record is not used, and what the file itself holds is shown";
    private static final int CHUNK = 64 << 10;

    private final FileBytes file;
    private final long offset;
    private final long end;
    private final long blobs;
    private final JsonNode json;

    KeepReader(FileBytes file, long offset, long size) {
        this.file = file;
        this.offset = offset;
        this.end = offset + size;
        file.require(offset, size, "Guestcore record");
        if (size < KeepRecord.HEADER || !KeepRecord.isAt(file, offset)) {
            throw malformed("magic", "GCKEEP02", size < KeepRecord.HEADER ? size + " bytes" : "something else");
        }
        requireChecksum(size);
        long jsonSize = file.u64(offset + Long.BYTES, ORDER, "size of the record's text");
        if (jsonSize < 0 || jsonSize > Math.min(LARGEST_JSON, size - KeepRecord.HEADER)) {
            throw malformed("size of its text", "at most " + (size - KeepRecord.HEADER) + " bytes", jsonSize + "");
        }
        this.blobs = offset + KeepRecord.HEADER + KeepRecord.padded(jsonSize);
        try {
            byte[] text = file.bytes(offset + KeepRecord.HEADER, (int) jsonSize, "text of the record");
            this.json = new JsonMapper().readTree(text);
        } catch (JacksonException e) {
            throw malformed("text", "JSON", e.getOriginalMessage());
        }
        if (json.path("version").asInt(0) != 1) {
            throw malformed("version", "1", json.path("version").toString());
        }
    }

    /** A record that was changed may not hide what the core itself holds. */
    private void requireChecksum(long size) {
        if (file.u64(offset, ORDER, "magic of the record") == KeepRecord.MAGIC_WITHOUT_CHECKSUM) {
            return;
        }
        if (size < KeepRecord.HEADER + KeepRecord.CHECKSUM) {
            throw malformed("size", "at least " + (KeepRecord.HEADER + KeepRecord.CHECKSUM) + " bytes", size + "");
        }
        CRC32C checksum = new CRC32C();
        long left = size - KeepRecord.CHECKSUM;
        long at = offset;
        while (left > 0) {
            int wanted = (int) Math.min(CHUNK, left);
            checksum.update(file.bytes(at, wanted, "Guestcore record"));
            at += wanted;
            left -= wanted;
        }
        long stored = file.u64(at, ORDER, "checksum of the record");
        if (stored != checksum.getValue()) {
            throw malformed("checksum", "0x" + Long.toHexString(checksum.getValue()), "0x" + Long.toHexString(stored));
        }
    }

    Guest restore(Guest read) {
        Arena arena = Arena.ofShared();
        try {
            GuestBuilder builder = Guest.builder();
            Provenance original = provenance();
            builder.architecture(architecture());
            builder.provenance(new Provenance(
                    read.provenance().source(),
                    read.provenance().format(),
                    read.provenance().layout(),
                    // Not that of the format which it was put into.
                    original.hypervisor(),
                    original.hypervisorVersion(),
                    original.takenAt().or(() -> read.provenance().takenAt())));
            List<Finding> known = read.findings();
            builder.findings(known);
            builder.byteOrder(read.memory().byteOrder());
            builder.laterFindings(() -> read.findings().stream().skip(known.size()).toList());
            builder.findings(
                    List.of(Finding.note("regions, registers and facts come from the record that Guestcore kept"
                            + " of the " + original.format() + " guest " + original.source())));
            List<RegisterState> registers = restoreVcpus(read, builder);
            List<DumpFacts> kept = restoreFacts(read, builder);
            Extents regions = regions(arena);
            Extents states = extents(arena, "states", KeepRecord.STATES.size());
            KeepContradictions.find(read, regions, states, registers).ifPresent(contradiction -> {
                throw malformed("content", "what the file itself holds", contradiction);
            });
            RestoredMemory memory = new RestoredMemory(read.memory(), regions, names(), states);
            builder.onClose(() -> {
                try {
                    read.close();
                } finally {
                    Arenas.close(arena);
                }
            });
            read.machineMemory()
                    .or(() -> machineMemory(kept, memory, arena))
                    .ifPresent(builder::machineMemory);
            return builder.build(memory);
        } catch (JacksonException e) {
            arena.close();
            throw malformed("text", "what Guestcore writes", "a value that does not fit" + place(e));
        } catch (IllegalArgumentException | DateTimeException e) {
            arena.close();
            throw malformed("text", "what Guestcore writes", String.valueOf(e.getMessage()));
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** Its message would name classes of ours. */
    private static String place(JacksonException e) {
        String path = e.getPath().stream()
                .map(JacksonException.Reference::getPropertyName)
                .filter(Objects::nonNull)
                .collect(Collectors.joining("."));
        return path.isEmpty() ? "" : " at " + path;
    }

    private Architecture architecture() {
        String name = json.path("architecture").asString("");
        return Architectures.named(name.toLowerCase(Locale.ROOT))
                .orElseThrow(() -> malformed("architecture", "a known name", name));
    }

    private Provenance provenance() {
        JsonNode node = json.path("provenance");
        return new Provenance(
                node.path("source").asString("?"),
                node.path("format").asString("?"),
                node.path("layout").asString(""),
                text(node, "hypervisor"),
                text(node, "hypervisorVersion"),
                text(node, "takenAt").map(Instant::parse));
    }

    private static Optional<String> text(JsonNode node, String name) {
        return node.has(name) ? Optional.of(node.path(name).asString("")) : Optional.empty();
    }

    private List<RegisterState> restoreVcpus(Guest read, GuestBuilder builder) {
        List<Vcpu> carried = read.vcpus();
        List<RegisterState> restored = new ArrayList<>();
        Architecture family = architecture();
        int index = 0;
        int previous = -1;
        for (JsonNode node : json.path("vcpus")) {
            RegisterState.Builder registers = RegisterState.builder();
            for (Map.Entry<String, JsonNode> entry : node.path("registers").properties()) {
                Register register = family.register(entry.getKey())
                        .orElseThrow(() -> malformed("register", "a known name", entry.getKey()));
                registers.set(register, littleEndian(register, entry.getValue().asString("")));
            }
            List<RawContext> raws = new ArrayList<>();
            for (JsonNode raw : node.path("raw")) {
                String kind = raw.path("kind").asString("");
                long size = blobSize(raw, LARGEST_RAW_CONTEXT, kind);
                raws.add(new RawContext(kind, file.bytes(blobOffset(raw, kind), (int) size, kind)));
            }
            if (index < carried.size()) {
                carried.get(index).rawContexts().stream()
                        .filter(raw -> raws.stream().noneMatch(own -> own.kind().equals(raw.kind())))
                        .forEach(raws::add);
            }
            previous = number(node, previous);
            RegisterState state = registers.build();
            builder.vcpu(previous, state, raws);
            restored.add(state);
            index++;
        }
        return restored;
    }

    /** The number of a vCPU, which is larger than that of the one before. */
    private int number(JsonNode node, int previous) {
        int number = node.path("index").asInt(previous + 1);
        if (number <= previous || number > LARGEST_NUMBER) {
            throw malformed("number of a vCPU", "ascending, at most " + LARGEST_NUMBER, Integer.toString(number));
        }
        return number;
    }

    private byte[] littleEndian(Register register, String hex) {
        if (!hex.startsWith("0x")) {
            throw malformed("register " + register.label(), "a number such as 0x1f", hex);
        }
        byte[] bigEndian = new BigInteger(hex.substring(2), 16).toByteArray();
        int digits = hex.length() - 2;
        int size = register.isScalable() && digits % 2 == 0
                ? Math.min(digits / 2, register.bits() / Byte.SIZE)
                : register.bits() / Byte.SIZE;
        byte[] value = new byte[size];
        for (int i = 0; i < bigEndian.length; i++) {
            byte next = bigEndian[bigEndian.length - 1 - i];
            if (i < value.length) {
                value[i] = next;
            } else if (next != 0) {
                throw malformed("register " + register.label(), "at most " + register.bits() + " bits", hex);
            }
        }
        return value;
    }

    private List<DumpFacts> restoreFacts(Guest read, GuestBuilder builder) {
        List<DumpFacts> kept = new ArrayList<>();
        for (Map.Entry<String, JsonNode> entry : json.path("facts").properties()) {
            Class<? extends DumpFacts> type = FactsJson.type(entry.getKey())
                    .orElseThrow(() -> malformed("facts", "those of a known hypervisor", entry.getKey()));
            kept.add(FactsJson.read(entry.getValue(), type, this::frames, this::content));
        }
        kept.forEach(builder::facts);
        read.facts().stream()
                .filter(fact -> kept.stream().noneMatch(own -> own.getClass() == fact.getClass()))
                .forEach(builder::facts);
        return kept;
    }

    /** The view that a PV guest's page tables need, by the kept frame table. */
    private static Optional<GuestMemory> machineMemory(List<DumpFacts> kept, GuestMemory memory, Arena arena) {
        return kept.stream()
                .filter(XenFacts.class::isInstance)
                .map(XenFacts.class::cast)
                .flatMap(facts -> facts.frames().stream())
                .filter(FrameTable::hasMachineFrames)
                .findFirst()
                .map(table -> new LazyMemory(() -> new RemappedMemory(memory, byMachineFrame(table, arena))));
    }

    private static Extents byMachineFrame(FrameTable table, Arena arena) {
        try (Arena scratch = Arena.ofShared()) {
            LayeredExtents frames = new LayeredExtents(scratch);
            for (long i = 0; i < table.size(); i++) {
                long machine = table.mfn(i);
                long page = table.pfn(i);
                if (machine >= 0 && machine < MOST_FRAMES && page >= 0 && page < MOST_FRAMES) {
                    frames.add(
                            machine << PAGE_SHIFT, (machine << PAGE_SHIFT) + PAGE - 1, page << PAGE_SHIFT);
                }
            }
            return frames.build(arena, LayeredExtents.Precedence.EARLIER);
        }
    }

    private FrameTable frames(FactsJson.FramesPlace place) {
        long entry = place.machineFrames() ? 2L * Long.BYTES : Long.BYTES;
        if (place.offset() < 0 || place.size() < 0 || place.size() % entry != 0
                || place.size() > end - blobs || place.offset() > end - blobs - place.size()) {
            throw malformed("frame table", "a table within the record", place.toString());
        }
        return new KeptFrames(file, blobs + place.offset(), place.size() / entry, place.machineFrames());
    }

    private ElfFacts.Content content(FactsJson.BlobPlace place) {
        if (place.offset() < 0 || place.size() < 0 || place.size() > end - blobs
                || place.offset() > end - blobs - place.size()) {
            throw malformed("note", "content within the record", place.toString());
        }
        return new ContentInFile(file, blobs + place.offset(), place.size());
    }

    private record KeptFrames(FileBytes file, long offset, long size, boolean hasMachineFrames) implements FrameTable {

        private long at(long index, int column) {
            if (index < 0 || index >= size) {
                throw new IndexOutOfBoundsException("no entry " + index + " in a frame table of " + size);
            }
            long entry = hasMachineFrames ? 2L * Long.BYTES : Long.BYTES;
            return file.u64(offset + index * entry + (long) column * Long.BYTES, ORDER, "frame table of the record");
        }

        @Override
        public long pfn(long index) {
            return at(index, 0);
        }

        @Override
        public long mfn(long index) {
            if (!hasMachineFrames) {
                throw new IllegalStateException("the table has no machine frames");
            }
            return at(index, 1);
        }
    }

    private List<String> names() {
        List<String> names = new ArrayList<>();
        json.path("names").forEach(name -> names.add(name.asString("")));
        return List.copyOf(names);
    }

    private Extents regions(Arena arena) {
        Extents regions = extents(arena, "regions", -1);
        int names = json.path("names").size();
        for (long i = 0; i < regions.count(); i++) {
            long value = regions.value(i);
            if ((value & 0xffffffffL) >= KeepRecord.KINDS.size() || value >>> Integer.SIZE >= names) {
                throw malformed("region " + i, "a known kind and name", "0x" + Long.toHexString(value));
            }
        }
        return regions;
    }

    /** Reads a blob of ranges; {@code values} is the number of allowed values beside them, -1 for any. */
    private Extents extents(Arena arena, String name, int values) {
        JsonNode place = json.path(name);
        long size = blobSize(place, Long.MAX_VALUE, name);
        long start = blobOffset(place, name);
        Extents.Builder extents = new Extents.Builder(arena);
        for (long at = start; at <= start + size - KeepRecord.RANGE_ENTRY; at += KeepRecord.RANGE_ENTRY) {
            long first = file.u64(at, ORDER, name);
            long last = file.u64(at + Long.BYTES, ORDER, name);
            long value = file.u64(at + 2L * Long.BYTES, ORDER, name);
            boolean valid = Long.compareUnsigned(first, last) <= 0 && (values < 0 || value >= 0 && value < values);
            if (!valid || !extents.add(first, last, value)) {
                throw new MalformedDumpException(
                        file.name(), at, name + " of the Guestcore record", "ascending ranges", "a range "
                                + "0x" + Long.toHexString(first) + "-0x" + Long.toHexString(last),
                        REMEDY);
            }
        }
        return extents.build();
    }

    private long blobSize(JsonNode place, long limit, String what) {
        long size = place.path("size").asLong(-1);
        long start = place.path("offset").asLong(-1);
        if (size < 0 || start < 0 || size > limit || size > end - blobs || start > end - blobs - size) {
            throw malformed("place of " + what, "bytes within the record", place.toString());
        }
        return size;
    }

    private long blobOffset(JsonNode place, String what) {
        blobSize(place, Long.MAX_VALUE, what);
        return blobs + place.path("offset").asLong(-1);
    }

    private MalformedDumpException malformed(String what, String expected, String found) {
        return file.malformed(offset, what + " of the Guestcore record", expected, found, REMEDY);
    }
}

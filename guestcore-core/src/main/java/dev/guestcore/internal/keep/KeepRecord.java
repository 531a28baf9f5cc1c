package dev.guestcore.internal.keep;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.PageState;
import dev.guestcore.RawContext;
import dev.guestcore.Vcpu;
import dev.guestcore.cpu.Register;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.facts.DumpFacts;
import dev.guestcore.facts.ElfFacts;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.file.CoreSink;
import dev.guestcore.file.FileBytes;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Everything about a guest but the bytes of its memory, laid out to travel in a core of a format that cannot say it.
 *
 * <pre>
 *  0  "GCKEEP02"; records of earlier versions, "GCKEEP01", have no checksum
 *  8  u64 size of the JSON text, little-endian like everything here
 * 16  JSON text (UTF-8), zero-padded to 8 bytes: provenance, vCPUs, facts; where it names a blob, by offset and size
 *  …  blobs back to back, each padded to 8 bytes; offsets count from the first blob
 *
 * 8 bytes: CRC-32C of all before them, u64
 *
 * blob "regions"   24 bytes each: u64 first, u64 last, u32 kind (0 RAM, 1 ROM, 2 DEVICE), u32 index into "names"
 * blob "states"    24 bytes each: u64 first, u64 last, u64 state (0 EXCLUDED, 1 UNREADABLE) of what the source lacked
 * blob of a frame table   8 or 16 bytes each: u64 PFN, and u64 MFN where the table has machine frames
 * blob of a raw context   its bytes
 * blob of a long note     its descriptor
 * </pre>
 *
 * <p>Not thread-safe.
 */
public final class KeepRecord {

    static final long MAGIC = magic("GCKEEP02");
    static final long MAGIC_WITHOUT_CHECKSUM = magic("GCKEEP01");
    static final int CHECKSUM = Long.BYTES;
    static final int HEADER = 16;
    static final int RANGE_ENTRY = 24;
    static final List<MemoryRegion.Kind> KINDS =
            List.of(MemoryRegion.Kind.RAM, MemoryRegion.Kind.ROM, MemoryRegion.Kind.DEVICE);
    static final List<PageState> STATES = List.of(PageState.EXCLUDED, PageState.UNREADABLE);

    private static final int WRITE_BUFFER = 64 << 10;

    private final byte[] json;
    private final List<Blob> blobs;
    private final long size;

    /** Bytes that are written on demand, so that a large table is never on the heap. */
    private record Blob(long offset, long size, BlobWriter writer) {}

    private interface BlobWriter {
        void write(BufferedWriter target);
    }

    private static long magic(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)).order(ByteOrder.LITTLE_ENDIAN).getLong();
    }

    private KeepRecord(byte[] json, List<Blob> blobs) {
        this.json = json;
        this.blobs = blobs;
        long total = HEADER + padded(json.length);
        for (Blob blob : blobs) {
            total += padded(blob.size());
        }
        this.size = total + CHECKSUM;
    }

    /** The record of {@code guest}, which must stay open until it is written. */
    public static KeepRecord of(Guest guest) {
        JsonMapper mapper = new JsonMapper();
        ObjectNode root = mapper.createObjectNode();
        List<Blob> blobs = new ArrayList<>();
        root.put("version", 1);
        root.put("architecture", guest.architecture().name());
        ObjectNode provenance = root.putObject("provenance");
        provenance.put("source", guest.provenance().source());
        provenance.put("format", guest.provenance().format());
        provenance.put("layout", guest.provenance().layout());
        guest.provenance().hypervisor().ifPresent(name -> provenance.put("hypervisor", name));
        guest.provenance().hypervisorVersion().ifPresent(version -> provenance.put("hypervisorVersion", version));
        guest.provenance().takenAt().ifPresent(time -> provenance.put("takenAt", time.toString()));

        putRegions(guest.memory(), root, blobs);
        putStates(guest.memory(), root, blobs);
        ArrayNode vcpus = root.putArray("vcpus");
        for (Vcpu vcpu : guest.vcpus()) {
            putVcpu(vcpu, vcpus.addObject(), blobs);
        }
        ObjectNode facts = root.putObject("facts");
        for (DumpFacts fact : guest.facts()) {
            facts.set(
                    FactsJson.name(fact.getClass()),
                    FactsJson.write(fact, table -> putFrames(table, blobs), content -> putContent(content, blobs)));
        }
        return new KeepRecord(mapper.writeValueAsBytes(root), blobs);
    }

    private static void putRegions(GuestMemory memory, ObjectNode root, List<Blob> blobs) {
        List<MemoryRegion> regions = memory.regions();
        Map<String, Integer> names = new LinkedHashMap<>();
        for (MemoryRegion region : regions) {
            names.computeIfAbsent(region.name(), name -> names.size());
        }
        ArrayNode list = root.putArray("names");
        names.keySet().forEach(list::add);
        putBlob(root.putObject("regions"), blobs, (long) regions.size() * RANGE_ENTRY, target -> {
            for (MemoryRegion region : regions) {
                target.put(region.range().first());
                target.put(region.range().last());
                long name = Objects.requireNonNull(names.get(region.name()));
                target.put(name << Integer.SIZE | KINDS.indexOf(region.kind()));
            }
        });
    }

    private static void putStates(GuestMemory memory, ObjectNode root, List<Blob> blobs) {
        long[] count = new long[1];
        forEachLostRun(memory, run -> count[0]++);
        putBlob(
                root.putObject("states"),
                blobs,
                count[0] * RANGE_ENTRY,
                target -> forEachLostRun(memory, run -> {
                    target.put(run.range().first());
                    target.put(run.range().last());
                    target.put(STATES.indexOf(run.state()));
                }));
    }

    private static void forEachLostRun(GuestMemory memory, Consumer<PageRun> action) {
        for (MemoryRegion region : memory.regions()) {
            if (!region.hasContent()) {
                continue;
            }
            AddressRange range = region.range();
            long at = range.first();
            while (true) {
                PageRun run = memory.runAt(at);
                long last = Long.compareUnsigned(run.range().last(), range.last()) < 0
                        ? run.range().last()
                        : range.last();
                if (STATES.contains(run.state())) {
                    action.accept(new PageRun(new AddressRange(at, last), run.state()));
                }
                if (last == range.last()) {
                    break;
                }
                at = last + 1;
            }
        }
    }

    private static void putVcpu(Vcpu vcpu, ObjectNode target, List<Blob> blobs) {
        target.put("index", vcpu.index());
        ObjectNode registers = target.putObject("registers");
        RegisterState state = vcpu.registers();
        for (Register register : state.known()) {
            registers.put(register.label(), state.hex(register));
        }
        ArrayNode raws = target.putArray("raw");
        for (RawContext raw : vcpu.rawContexts()) {
            ObjectNode entry = raws.addObject();
            entry.put("kind", raw.kind());
            putBlob(entry, blobs, raw.bytes().length, out -> out.put(raw.bytes()));
        }
    }

    private static FactsJson.BlobPlace putFrames(FrameTable table, List<Blob> blobs) {
        boolean machine = table.hasMachineFrames();
        long offset = end(blobs);
        long bytes = Math.multiplyExact(table.size(), machine ? 2L * Long.BYTES : Long.BYTES);
        blobs.add(new Blob(offset, bytes, target -> {
            for (long i = 0; i < table.size(); i++) {
                target.put(table.pfn(i));
                if (machine) {
                    target.put(table.mfn(i));
                }
            }
        }));
        return new FactsJson.BlobPlace(offset, bytes);
    }

    private static FactsJson.BlobPlace putContent(ElfFacts.Content content, List<Blob> blobs) {
        long offset = end(blobs);
        blobs.add(new Blob(offset, content.size(), target -> {
            byte[] piece = new byte[WRITE_BUFFER];
            for (long done = 0; done < content.size(); done += piece.length) {
                byte[] some = content.size() - done < piece.length ? new byte[(int) (content.size() - done)] : piece;
                content.read(done, MemorySegment.ofArray(some));
                target.put(some);
            }
        }));
        return new FactsJson.BlobPlace(offset, content.size());
    }

    private static void putBlob(ObjectNode place, List<Blob> blobs, long bytes, BlobWriter writer) {
        long offset = end(blobs);
        place.put("offset", offset);
        place.put("size", bytes);
        blobs.add(new Blob(offset, bytes, writer));
    }

    private static long end(List<Blob> blobs) {
        return blobs.isEmpty() ? 0 : blobs.getLast().offset() + padded(blobs.getLast().size());
    }

    static long padded(long bytes) {
        return bytes + 7 & ~7L;
    }

    /**
     * A guest as it was before it was written: its memory is that of {@code read}, everything else comes from the record.
     *
     * @param read the guest as the carrying format sees it; closed with the result
     * @param file holds the record
     * @param offset where the record begins
     * @param size how long it is
     * @throws dev.guestcore.error.MalformedDumpException if the record is damaged, or contradicts the core that carries
     *     it
     */
    public static Guest restore(Guest read, FileBytes file, long offset, long size) {
        return new KeepReader(file, offset, size).restore(read);
    }

    /** Whether a record begins at {@code offset}. */
    public static boolean isAt(FileBytes file, long offset) {
        if (!file.holds(offset, HEADER)) {
            return false;
        }
        long magic = file.u64(offset, ByteOrder.LITTLE_ENDIAN, "magic of the record");
        return magic == MAGIC || magic == MAGIC_WITHOUT_CHECKSUM;
    }

    /** Size in bytes, a multiple of 8. */
    public long size() {
        return size;
    }

    /** Writes exactly {@link #size()} bytes. */
    public void write(CoreSink sink) {
        BufferedWriter target = new BufferedWriter(sink);
        target.put(MAGIC);
        target.put((long) json.length);
        target.put(json);
        target.pad(json.length);
        for (Blob blob : blobs) {
            blob.writer().write(target);
            target.pad(blob.size());
        }
        target.putChecksum();
        target.flush();
    }

    /** Gathers small values on their way to a sink. */
    private static final class BufferedWriter {

        private final CoreSink sink;
        private final byte[] bytes = new byte[WRITE_BUFFER];
        private final ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        private final CRC32C checksum = new CRC32C();

        BufferedWriter(CoreSink sink) {
            this.sink = sink;
        }

        void put(long value) {
            if (buffer.remaining() < Long.BYTES) {
                flush();
            }
            buffer.putLong(value);
        }

        void put(byte[] value) {
            flush();
            checksum.update(value);
            sink.write(MemorySegment.ofArray(value));
        }

        void pad(long written) {
            int count = (int) (padded(written) - written);
            if (buffer.remaining() < count) {
                flush();
            }
            buffer.put(new byte[count]);
        }

        void putChecksum() {
            flush();
            put(checksum.getValue());
        }

        void flush() {
            checksum.update(bytes, 0, buffer.position());
            sink.write(MemorySegment.ofArray(bytes).asSlice(0, buffer.position()));
            buffer.clear();
        }
    }
}

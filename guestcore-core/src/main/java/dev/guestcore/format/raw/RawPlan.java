package dev.guestcore.format.raw;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.Progress;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.CompanionFile;
import dev.guestcore.file.CoreSink;
import dev.guestcore.format.Loss;
import dev.guestcore.format.MemoryPlace;
import dev.guestcore.format.WritePlan;
import dev.guestcore.format.WriteReport;
import dev.guestcore.internal.writer.CommonLosses;
import dev.guestcore.internal.writer.ContentMap;
import dev.guestcore.internal.writer.MemoryCopier;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import tools.jackson.databind.ObjectMapper;

/** An image laid out. Pages that are zero, or cannot be read, take no room where the file system knows holes. */
final class RawPlan implements WritePlan {

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String IN_MAP = "the image has bytes only; the map beside it keeps it, a pipe has no map";

    private final Guest guest;
    /** Zeros are cheap, but so many more than content, into a pipe, nobody expects. */
    private static final long MOST_TIMES_CONTENT = 16;

    private static final long SMALL_ENOUGH = 16L << 30;

    private final boolean packed;
    private final boolean asked;
    private final ContentMap content;
    private final long size;

    /** What the copy failed to read although the source had promised it. */
    private List<AddressRange> failed = List.of();

    /**
     * Lays an image out.
     *
     * @param asked whether the user asked for the layout, and so for as many zeros as it takes
     */
    RawPlan(Guest guest, boolean packed, boolean asked) {
        this.guest = guest;
        this.packed = packed;
        this.asked = asked;
        this.content = ContentMap.of(guest.memory());
        long end = 0;
        for (long i = 0; i < content.count(); i++) {
            if (content.state(i) == PageState.PRESENT) {
                end = packed ? end + (content.last(i) - content.first(i) + 1) : content.last(i) + 1;
                if (end <= 0) {
                    throw new UnsupportedRequestException("a file cannot hold memory up to guest-physical address 0x"
                            + Long.toHexString(content.last(i))
                            + " at offsets equal to addresses; write it packed (option layout, value packed)");
                }
            }
        }
        if (content.count() == 0) {
            throw new UnsupportedRequestException("this guest has no memory; nothing is written");
        }
        this.size = end;
    }

    @Override
    public String layout() {
        return packed ? "packed" : "flat";
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public long storedSize() {
        return content.bytes(PageState.PRESENT);
    }

    private boolean isFlood() {
        return size > SMALL_ENOUGH && size / MOST_TIMES_CONTENT > content.bytes(PageState.PRESENT);
    }

    @Override
    public List<Loss> losses() {
        List<Loss> losses = new ArrayList<>();
        for (Loss loss : CommonLosses.ofRegions(guest.memory())) {
            losses.add(new Loss(loss.what(), IN_MAP, true));
        }
        for (PageState state : List.of(PageState.EXCLUDED, PageState.UNREADABLE, PageState.ZERO)) {
            for (Loss loss : content.stateLoss(state, IN_MAP)) {
                losses.add(new Loss(loss.what(), loss.why(), true));
            }
        }
        losses.addAll(CommonLosses.ofVcpus(guest));
        losses.addAll(CommonLosses.ofFacts(guest, Set.of()));
        losses.addAll(CommonLosses.ofTime(guest));
        return losses;
    }

    /** At its address in a flat image; in a packed one it depends on which pages are zero. */
    @Override
    public List<MemoryPlace> memoryPlaces() {
        List<MemoryPlace> places = new ArrayList<>();
        for (long i = 0; !packed && i < content.count(); i++) {
            if (content.state(i) == PageState.PRESENT) {
                places.add(new MemoryPlace(new AddressRange(content.first(i), content.last(i)), content.first(i)));
            }
        }
        return places;
    }

    @Override
    public WriteReport write(CoreSink sink, Progress progress) {
        if (!packed && !asked && !sink.canPatch() && isFlood()) {
            throw new UnsupportedRequestException("a flat image of this guest takes " + size + " bytes, of which "
                    + storedSize() + " are not zero, and into a pipe all have to be written; write it packed"
                    + " (option layout, value packed), or ask for the zeros by the value flat");
        }
        progress.begin("writing memory", content.bytes(PageState.PRESENT));
        MemoryCopier copier = new MemoryCopier(guest.memory(), sink, progress);
        long position = 0;
        for (long i = 0; i < content.count(); i++) {
            if (content.state(i) != PageState.PRESENT) {
                continue;
            }
            if (!packed) {
                sink.writeZeros(content.first(i) - position);
            }
            copier.copy(new AddressRange(content.first(i), content.last(i)));
            position = content.last(i) + 1;
        }
        failed = copier.unreadable();
        List<AddressRange> unreadable = new ArrayList<>(content.ranges(PageState.UNREADABLE));
        unreadable.addAll(failed);
        unreadable.sort(null);
        return new WriteReport(
                RawFormat.NAME,
                layout(),
                size,
                copier.memoryBytes() + content.bytes(PageState.ZERO),
                copier.zeroBytes() + content.bytes(PageState.ZERO),
                losses(),
                unreadable.subList(0, Math.min(unreadable.size(), WriteReport.MOST_RANGES)),
                content.bytes(PageState.UNREADABLE) + copier.unreadableBytes());
    }

    @Override
    public List<CompanionFile> companions() {
        return List.of(new CompanionFile(RawMap.SUFFIX, sink -> new MapWriter(sink).write()));
    }

    /** Writes the map, one range a line, ascending, with every hole between regions. */
    private final class MapWriter {

        private final CoreSink sink;
        private String separator = "\n";
        private long next;
        private boolean any;
        private long offset;
        private int nextFailed;

        MapWriter(CoreSink sink) {
            this.sink = sink;
        }

        void write() {
            text("{\n  \"format\": " + JSON.writeValueAsString(RawMap.FORMAT) + ",\n  \"version\": " + RawMap.VERSION
                    + ",\n  \"architecture\": " + JSON.writeValueAsString(guest.architecture().name())
                    + ",\n  \"imageSize\": " + JSON.writeValueAsString(hex(size)) + ",\n  \"ranges\": [");
            long run = 0;
            for (MemoryRegion region : guest.memory().regions()) {
                AddressRange range = region.range();
                if (!any && range.first() != 0 || any && next != range.first()) {
                    hole(any ? next : 0, range.first());
                }
                if (!region.hasContent()) {
                    line(region, range.first(), range.last(), "", false, false);
                }
                boolean continues = false;
                while (region.hasContent() && run < content.count()
                        && Long.compareUnsigned(content.first(run), range.last()) <= 0) {
                    run(region, run, continues);
                    continues = true;
                    run++;
                }
                next = range.last() + 1;
                any = true;
            }
            text("\n  ]\n}\n");
        }

        private void hole(long first, long end) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("address", hex(first));
            entry.put("size", hex(end - first));
            entry.put("kind", "hole");
            entry(entry);
        }

        /** A run, cut where the copy failed: those parts are in the image as zeros, but were not read. */
        private void run(MemoryRegion region, long run, boolean continues) {
            PageState state = content.state(run);
            long first = content.first(run);
            long last = content.last(run);
            if (state != PageState.PRESENT) {
                line(region, first, last, lower(state), false, continues);
                return;
            }
            boolean follows = continues;
            long address = first;
            while (nextFailed < failed.size() && Long.compareUnsigned(failed.get(nextFailed).first(), last) <= 0) {
                AddressRange lost = failed.get(nextFailed);
                long lostFirst = Long.compareUnsigned(lost.first(), address) > 0 ? lost.first() : address;
                long lostLast = Long.compareUnsigned(lost.last(), last) < 0 ? lost.last() : last;
                if (lostFirst != address) {
                    line(region, address, lostFirst - 1, lower(PageState.PRESENT), true, follows);
                    follows = true;
                }
                line(region, lostFirst, lostLast, lower(PageState.UNREADABLE), false, follows);
                offset += lostLast - lostFirst + 1;
                follows = true;
                if (lost.last() == lostLast) {
                    nextFailed++;
                }
                if (lostLast == last) {
                    return;
                }
                address = lostLast + 1;
            }
            line(region, address, last, lower(PageState.PRESENT), true, follows);
        }

        private void line(
                MemoryRegion region, long first, long last, String state, boolean stored, boolean continues) {
            Map<String, Object> entry = new LinkedHashMap<>();
            entry.put("address", hex(first));
            entry.put("size", hex(last - first + 1));
            entry.put("kind", lower(region.kind()));
            if (!region.name().isEmpty()) {
                entry.put("name", region.name());
            }
            if (!state.isEmpty()) {
                entry.put("state", state);
            }
            if (stored) {
                entry.put("offset", hex(packed ? offset : first));
                offset += last - first + 1;
            }
            if (continues) {
                entry.put("continues", true);
            }
            entry(entry);
        }

        private void entry(Map<String, Object> entry) {
            text(separator + "    " + JSON.writeValueAsString(entry));
            separator = ",\n";
        }

        private void text(String text) {
            sink.write(MemorySegment.ofArray(text.getBytes(StandardCharsets.UTF_8)));
        }

        private static String hex(long value) {
            return "0x" + Long.toHexString(value);
        }

        private static String lower(Enum<?> value) {
            return value.name().toLowerCase(Locale.ROOT);
        }
    }
}

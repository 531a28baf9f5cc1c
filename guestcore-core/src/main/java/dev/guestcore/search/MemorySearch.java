package dev.guestcore.search;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.MappingSummary;
import dev.guestcore.address.Translation;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.internal.parallel.OrderedPipeline;
import java.io.Serial;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Consumer;

/**
 * Finds bytes, texts and regular expressions in the memory of a guest, on all processors, in ascending order of
 * addresses. A match may cross pages and adjacent regions. Immutable and thread-safe.
 *
 * <p>Memory use is fixed: matches are passed on as a stream.
 *
 * <pre>{@code
 * SearchPattern banner = SearchPattern.regex("Linux version [0-9][ -~]+", 512);
 * MemorySearch.of(banner).limit(10).physical(guest.memory(), hit -> print(hit), Progress.none());
 * }</pre>
 */
public final class MemorySearch {

    /** Most bytes of context on each side. */
    public static final int MOST_CONTEXT = 4096;

    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);
    private static final int PAGE = Architecture.SMALLEST_PAGE;
    private static final int SHOWN_OF_MATCH = 256;

    private final SearchPattern pattern;
    private final AddressRange range;
    private final long limit;
    private final int contextSize;

    private MemorySearch(SearchPattern pattern, AddressRange range, long limit, int contextSize) {
        this.pattern = pattern;
        this.range = range;
        this.limit = limit;
        this.contextSize = contextSize;
    }

    /** A search of all memory for all finds, with 32 bytes of context on each side. */
    public static MemorySearch of(SearchPattern pattern) {
        return new MemorySearch(pattern, EVERYTHING, Long.MAX_VALUE, 32);
    }

    /** The same search of a part of memory. A match must lie in it whole. */
    public MemorySearch in(AddressRange part) {
        return new MemorySearch(pattern, part, limit, contextSize);
    }

    /** The same search that stops after so many finds. */
    public MemorySearch limit(long mostHits) {
        if (mostHits < 1) {
            throw new IllegalArgumentException("limit must be at least 1, found " + mostHits);
        }
        return new MemorySearch(pattern, range, mostHits, contextSize);
    }

    /** The same search with so many bytes of context on each side, up to {@link #MOST_CONTEXT}. */
    public MemorySearch context(int bytes) {
        if (bytes < 0 || bytes > MOST_CONTEXT) {
            throw new IllegalArgumentException("context must be 0 to " + MOST_CONTEXT + " bytes, found " + bytes);
        }
        return new MemorySearch(pattern, range, limit, bytes);
    }

    /**
     * Searches memory by its own addresses.
     *
     * @param consumer gets the finds in ascending order, in the caller's thread; may throw to stop
     * @param progress may cancel
     */
    public SearchSummary physical(GuestMemory memory, Consumer<SearchHit> consumer, Progress progress) {
        return run(new Physical(memory), consumer, progress);
    }

    /**
     * Searches what page tables map, by virtual address. A page that is mapped in several places is found in each; a
     * long run of addresses that all show one page is searched at its edges only, and the rest counted.
     *
     * @param consumer gets the finds in ascending order, in the caller's thread; may throw to stop
     * @param progress may cancel
     */
    public SearchSummary virtual(AddressSpace space, Consumer<SearchHit> consumer, Progress progress) {
        return run(new Virtual(space), consumer, progress);
    }

    /** Where the memory comes from. */
    private abstract class Place {

        /** Memory that is read. */
        abstract GuestMemory memory();

        /** Memory by the address that is searched. */
        abstract GuestMemory shown();

        /** How many bytes there are to look at, at most. */
        abstract long size();

        /** Adds all of it; gives where it had to stop. */
        abstract OptionalLong plan(SearchPlan plan);

        long repeatedBytes() {
            return 0;
        }

        abstract SearchHit hit(long address, int length, byte[] context, long contextAddress);
    }

    private final class Physical extends Place {

        private final GuestMemory memory;

        Physical(GuestMemory memory) {
            this.memory = memory;
        }

        @Override
        GuestMemory memory() {
            return memory;
        }

        @Override
        GuestMemory shown() {
            return memory;
        }

        @Override
        long size() {
            long sum = 0;
            for (MemoryRegion region : memory.regions()) {
                Optional<AddressRange> part =
                        region.hasContent() ? region.range().intersection(range) : Optional.empty();
                sum += part.map(AddressRange::size).orElse(0L);
            }
            return sum;
        }

        @Override
        OptionalLong plan(SearchPlan plan) {
            for (MemoryRegion region : memory.regions()) {
                if (region.hasContent()) {
                    region.range()
                            .intersection(range)
                            .ifPresent(part -> plan.add(part.first(), part.first(), part.size()));
                }
            }
            return OptionalLong.empty();
        }

        @Override
        SearchHit hit(long address, int length, byte[] context, long contextAddress) {
            String region = memory.regionAt(address)
                    .map(found -> found.name().isEmpty()
                            ? found.kind().name().toLowerCase(Locale.ROOT)
                            : found.name())
                    .orElse("");
            return new SearchHit(address, length, Optional.empty(), region, context, contextAddress);
        }
    }

    private final class Virtual extends Place {

        private final AddressSpace space;
        private final GuestMemory shown;
        private long repeatedBytes;

        Virtual(AddressSpace space) {
            this.space = space;
            this.shown = space.memory();
        }

        @Override
        GuestMemory memory() {
            return space.physicalMemory();
        }

        @Override
        GuestMemory shown() {
            return shown;
        }

        @Override
        long size() {
            long[] sum = {0};
            space.pieces(range, AddressSpace.MOST_TABLES, (virtual, physical, size, pageSize, repeated) -> sum[0] +=
                    isPassedOver(size, pageSize, repeated) ? 2 * edge(pageSize) : size);
            return sum[0];
        }

        private boolean isPassedOver(long size, long pageSize, boolean repeated) {
            return repeated && size > 4 * edge(pageSize);
        }

        /** Whole pages that hold the longest match and one page more, so that every place in the page is tried. */
        private long edge(long pageSize) {
            return (pattern.longestMatch() / pageSize + 2) * pageSize;
        }

        @Override
        OptionalLong plan(SearchPlan plan) {
            MappingSummary summary = space.pieces(
                    range, AddressSpace.MOST_TABLES, (virtual, physical, size, pageSize, repeated) -> {
                        if (!repeated) {
                            plan.add(virtual, physical, size);
                        } else if (isPassedOver(size, pageSize, true)) {
                            long edge = edge(pageSize);
                            addRepeated(plan, virtual, physical, edge, pageSize);
                            addRepeated(plan, virtual + size - edge, physical, edge, pageSize);
                            repeatedBytes += size - 2 * edge;
                        } else {
                            addRepeated(plan, virtual, physical, size, pageSize);
                        }
                    });
            return summary.stoppedAt();
        }

        private void addRepeated(SearchPlan plan, long virtual, long physical, long size, long pageSize) {
            long start = physical & -pageSize;
            long done = 0;
            long at = physical;
            while (done < size) {
                long length = Math.min(size - done, start + pageSize - at);
                plan.add(virtual + done, at, length);
                done += length;
                at = start;
            }
        }

        @Override
        long repeatedBytes() {
            return repeatedBytes;
        }

        @Override
        SearchHit hit(long address, int length, byte[] context, long contextAddress) {
            Translation translation = space.translate(address);
            String rights = translation.rights().map(Object::toString).orElse("");
            return new SearchHit(address, length, translation.physical(), rights, context, contextAddress);
        }
    }

    /** Unwinds the planning when enough is found. Never leaves this class. */
    private static final class Enough extends GuestcoreException {
        @Serial
        private static final long serialVersionUID = 1L;

        Enough() {
            super("enough found");
        }
    }

    private SearchSummary run(Place place, Consumer<SearchHit> consumer, Progress progress) {
        progress.begin("searching memory", place.size());
        Delivery delivery = new Delivery(place, consumer, progress);
        OptionalLong stoppedAt;
        long unreadable = 0;
        try (OrderedPipeline<SearchBatch> pipeline = new OrderedPipeline<>(
                number -> new SearchBatch(place.memory(), pattern), SearchBatch::work, delivery::deliver)) {
            SearchPlan plan = new SearchPlan(place.memory(), pattern, pipeline);
            try {
                stoppedAt = place.plan(plan);
                plan.finish();
                pipeline.finish();
            } catch (Enough enough) {
                stoppedAt = OptionalLong.of(delivery.lastAddress + 1);
            }
            unreadable = plan.unreadable();
        }
        return new SearchSummary(
                delivery.hits,
                stoppedAt,
                delivery.searchedBytes,
                unreadable + delivery.unreadableBytes,
                place.repeatedBytes());
    }

    /** What the caller's thread does with finished batches. */
    private final class Delivery {

        private final Place place;
        private final Consumer<SearchHit> consumer;
        private final Progress progress;
        private long hits;
        private long searchedBytes;
        private long unreadableBytes;
        private long lastAddress;
        private long nextStart;

        Delivery(Place place, Consumer<SearchHit> consumer, Progress progress) {
            this.place = place;
            this.consumer = consumer;
            this.progress = progress;
        }

        void deliver(SearchBatch batch) {
            long from = pattern.isOverlapping() || hits == 0 ? batch.address() : nextStart;
            batch.report(from, (start, length) -> {
                found(batch.address() + start, length);
                return true;
            });
            searchedBytes += batch.newBytes() - batch.unreadable();
            unreadableBytes += batch.unreadable();
            progress.advance(batch.newBytes());
        }

        private void found(long address, int length) {
            lastAddress = address;
            nextStart = address + length;
            long contextAddress = contextStart(address);
            int before = (int) (address - contextAddress);
            byte[] context = new byte[before + Math.min(length, SHOWN_OF_MATCH) + contextSize];
            long copied = place.shown().readAvailable(contextAddress, MemorySegment.ofArray(context));
            byte[] readable = copied == context.length ? context : Arrays.copyOf(context, (int) copied);
            hits++;
            consumer.accept(place.hit(address, length, readable, contextAddress));
            if (hits >= limit) {
                throw new Enough();
            }
        }

        /** The lowest address from which everything up to {@code address} can be read. */
        private long contextStart(long address) {
            long start = Long.compareUnsigned(address, contextSize) < 0 ? 0 : address - contextSize;
            while (start != address) {
                MemorySegment before = MemorySegment.ofArray(new byte[(int) (address - start)]);
                long copied = place.shown().readAvailable(start, before);
                if (copied == before.byteSize()) {
                    return start;
                }
                long nextPage = (start + copied | PAGE - 1) + 1;
                start = Long.compareUnsigned(nextPage, address) < 0 ? nextPage : address;
            }
            return start;
        }
    }
}

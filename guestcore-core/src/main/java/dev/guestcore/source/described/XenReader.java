package dev.guestcore.source.described;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageRun;
import dev.guestcore.RegionContents;
import dev.guestcore.RegionMemory;
import dev.guestcore.facts.FrameTable;
import dev.guestcore.facts.XenFacts;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/** Reads what a description says about Xen, and puts machine memory together from its frames. */
final class XenReader {

    private static final int PAGE_SIZE = 4096;
    private static final long MOST_FRAMES = 1L << 52;

    private XenReader() {}

    /**
     * Neighbouring frames.
     *
     * @param start index of the first one in the table
     * @param count how many
     * @param pfn page frame number of the first one, or {@link FrameTable#INVALID} for all of them
     * @param mfn machine frame number of the first one, or {@link FrameTable#INVALID} for all of them
     */
    private record Run(long start, long count, long pfn, long mfn) {}

    /** The facts. */
    static XenFacts facts(JsonValue json, DescriptionFiles files) {
        json.only("paravirtualized", "guestWidth", "version", "sharedInfo", "frames");
        boolean paravirtualized =
                json.find("paravirtualized").map(JsonValue::flag).orElse(false);
        long guestWidth = json.number("guestWidth", 8);
        if (guestWidth != 4 && guestWidth != 8) {
            throw json.get("guestWidth").wrong("4 or 8");
        }
        return new XenFacts(
                paravirtualized,
                (int) guestWidth,
                version(json.get("version")),
                json.find("sharedInfo").map(value -> RawBytes.read(value, files)),
                json.find("frames").map(XenReader::frames));
    }

    private static XenFacts.Version version(JsonValue json) {
        json.only(
                "major", "minor", "extra", "compiler", "compiledBy", "compileDomain", "compileDate", "capabilities",
                "changeset", "virtualStart", "pageSize");
        long major = json.get("major").number(0, Integer.MAX_VALUE);
        return XenFacts.Version.builder(major, json.get("minor").number(0, Integer.MAX_VALUE))
                .extra(text(json, "extra", 16))
                .compiler(text(json, "compiler", 64))
                .compiledBy(text(json, "compiledBy", 16))
                .compileDomain(text(json, "compileDomain", 32))
                .compileDate(text(json, "compileDate", 32))
                .capabilities(text(json, "capabilities", 1024))
                .changeset(text(json, "changeset", 64))
                .virtualStart(json.number("virtualStart", 0))
                .pageSize(json.number("pageSize", PAGE_SIZE))
                .build();
    }

    /** The fields of the version note are fixed arrays of bytes. */
    private static String text(JsonValue json, String key, int most) {
        String text = json.text(key, "");
        if (text.length() > most || text.chars().anyMatch(character -> character == 0 || character > 0xff)) {
            throw json.get(key).wrong("at most " + most + " Latin-1 characters");
        }
        return text;
    }

    private static FrameTable frames(JsonValue json) {
        List<Run> runs = new ArrayList<>();
        long size = 0;
        Optional<Boolean> machine = Optional.empty();
        for (JsonValue element : json.elements()) {
            element.only("pfn", "mfn", "mfns", "count");
            boolean list = element.has("mfns");
            boolean hasMachine = list || element.has("mfn");
            if (machine.isPresent() && machine.get() != hasMachine) {
                throw element.error(
                        "machine frames in all elements or in none", hasMachine ? "found some" : "found none");
            }
            machine = Optional.of(hasMachine);
            long pfn = frame(element.get("pfn"));
            if (list) {
                if (element.has("mfn") || element.has("count")) {
                    throw element.error("'mfns' without 'mfn' and 'count'", "found both");
                }
                List<JsonValue> numbers = element.get("mfns").elements();
                for (int i = 0; i < numbers.size(); i++) {
                    long each = pfn == FrameTable.INVALID ? pfn : pfn + i;
                    runs.add(new Run(size++, 1, each, frame(numbers.get(i))));
                }
            } else {
                long count = element.find("count")
                        .map(value -> value.number(1, MOST_FRAMES))
                        .orElse(1L);
                long mfn = hasMachine ? frame(element.get("mfn")) : FrameTable.INVALID;
                if (size > MOST_FRAMES - count) {
                    throw element.get("count").wrong("at most " + MOST_FRAMES + " frames in all");
                }
                runs.add(new Run(size, count, pfn, mfn));
                size += count;
            }
        }
        return new Frames(runs.toArray(Run[]::new), size, machine.orElse(false));
    }

    private static long frame(JsonValue value) {
        boolean invalid = value.isText() && value.text().equals("invalid");
        return invalid ? FrameTable.INVALID : value.number(0, MOST_FRAMES - 1);
    }

    /**
     * The memory by machine address.
     *
     * @param memory by guest-physical address
     * @param json where the facts were read, for errors
     * @return empty if the facts give no machine frames
     */
    static Optional<GuestMemory> machineMemory(XenFacts facts, GuestMemory memory, JsonValue json) {
        if (!facts.paravirtualized()
                || facts.frames().isEmpty()
                || !(facts.frames().get() instanceof Frames frames)
                || !frames.hasMachineFrames()) {
            return Optional.empty();
        }
        List<Run> valid = Arrays.stream(frames.runs)
                .filter(run -> run.pfn() != FrameTable.INVALID && run.mfn() != FrameTable.INVALID)
                .sorted(Comparator.comparingLong(Run::mfn))
                .toList();
        List<RegionMemory.Part> parts = new ArrayList<>(valid.size());
        long free = 0;
        for (Run run : valid) {
            if (run.mfn() < free || run.mfn() > MOST_FRAMES - run.count() || run.pfn() > MOST_FRAMES - run.count()) {
                throw json.get("frames")
                        .error(
                                "each machine frame once, and below 2^52",
                                "found 0x" + Long.toHexString(run.mfn()) + " (" + run.count() + " frames)");
            }
            free = run.mfn() + run.count();
            long bytes = run.count() * PAGE_SIZE;
            AddressRange range = new AddressRange(run.mfn() * PAGE_SIZE, run.mfn() * PAGE_SIZE + (bytes - 1));
            parts.add(new RegionMemory.Part(
                    new MemoryRegion(range, MemoryRegion.Kind.RAM, ""),
                    new Moved(memory, run.pfn() * PAGE_SIZE)));
        }
        return Optional.of(new RegionMemory(parts));
    }

    /** A part of one memory that is seen at another address. */
    private record Moved(GuestMemory memory, long address) implements RegionContents {

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            return memory.readAvailable(address + offset, target);
        }

        @Override
        public Run runAt(long offset, long remaining) {
            return within(memory.runAt(address + offset), remaining);
        }

        @Override
        public Run contentRunAt(long offset, long remaining) {
            return within(memory.contentRunAt(address + offset), remaining);
        }

        private static Run within(PageRun run, long remaining) {
            long toLast = run.range().last() - run.range().first();
            long size = Long.compareUnsigned(toLast, remaining - 1) < 0 ? toLast + 1 : remaining;
            return new Run(run.state(), size);
        }

        @Override
        public Optional<MemorySegment> view(long offset, long size) {
            return memory.view(address + offset, size);
        }
    }

    /** A table of runs. */
    private static final class Frames implements FrameTable {

        private final Run[] runs;
        private final long size;
        private final boolean machineFrames;

        Frames(Run[] runs, long size, boolean machineFrames) {
            this.runs = runs;
            this.size = size;
            this.machineFrames = machineFrames;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public long pfn(long index) {
            Run run = run(index);
            return run.pfn() == INVALID ? INVALID : run.pfn() + (index - run.start());
        }

        @Override
        public long mfn(long index) {
            if (!machineFrames) {
                throw new IllegalStateException("the description gives no machine frames");
            }
            Run run = run(index);
            return run.mfn() == INVALID ? INVALID : run.mfn() + (index - run.start());
        }

        @Override
        public boolean hasMachineFrames() {
            return machineFrames;
        }

        private Run run(long index) {
            Objects.checkIndex(index, size);
            int low = 0;
            int high = runs.length - 1;
            while (low < high) {
                int middle = low + high + 1 >>> 1;
                if (runs[middle].start() <= index) {
                    low = middle;
                } else {
                    high = middle - 1;
                }
            }
            return runs[low];
        }
    }
}

package dev.guestcore.source.qemu;

import dev.guestcore.Finding;
import dev.guestcore.MemoryRegion;
import dev.guestcore.PageState;
import dev.guestcore.RegionContents;
import dev.guestcore.RegionMemory;
import dev.guestcore.error.SourceException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Decides for each region of a stopped guest how it is read: from QEMU's process where the monitor tells its host
 * address and the process proves to hold the guest's bytes there, else through files.
 */
final class MemoryAccess implements AutoCloseable {

    private static final Pattern HOST_ADDRESS = Pattern.compile("is 0x([0-9a-fA-F]{1,16})\\s*$");
    private static final Pattern QUADWORD = Pattern.compile("0x([0-9a-fA-F]{16})");
    private static final ValueLayout.OfLong U64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** How many bytes at both ends of a region are compared before it is trusted. */
    private static final long SAMPLE = 512;

    /** Memory that devices share with the host may change between two looks. */
    private static final int LOOKS = 3;

    private final QmpClient qmp;
    private final Watchdog watchdog;
    private final List<MemoryRegion> regions;
    private final Map<MemoryRegion, Long> hostAddresses = new HashMap<>();
    private final Set<MemoryRegion> unproven = new HashSet<>();
    private final List<Finding> findings = new ArrayList<>();
    private final LeasedMemory memory;
    private final Optional<ProcessMemory> process;
    private final String reason;
    private String refusal = "QEMU's process was not found here (does it run in a container, or as another user?)";
    private Optional<PageMap> pageMap = Optional.empty();
    private @Nullable SavedMemory saved;

    /**
     * What was found out about a guest, for the same guest later.
     *
     * @param regions as they were
     * @param process that holds its memory
     * @param hostAddresses where, for each region for which that is known
     * @param unproven of these: those whose bytes were not the same, which in a running guest need not mean anything
     * @param reason why there is no process, if there is none
     */
    record Known(
            List<MemoryRegion> regions,
            Optional<ProcessMemory> process,
            Map<MemoryRegion, Long> hostAddresses,
            Set<MemoryRegion> unproven,
            String reason) {}

    private MemoryAccess(QmpClient qmp, Watchdog watchdog, List<MemoryRegion> regions, Optional<Known> known)
            throws IOException {
        this.qmp = qmp;
        this.watchdog = watchdog;
        this.regions = regions;
        Optional<ProcessMemory> found = Optional.empty();
        if (known.isPresent() && isStill(known.get())) {
            found = known.get().process();
            reason = known.get().reason();
        } else if (System.getProperty(QemuSourceProvider.MEMORY_PROPERTY, "").equals("pmemsave")) {
            reason = "the system property " + QemuSourceProvider.MEMORY_PROPERTY + " says so";
        } else if (!ProcessMemory.isSupported()) {
            reason = "this system has no process_vm_readv";
        } else {
            Optional<Descriptors.Peer> peer = qmp.peer();
            if (peer.isPresent()) {
                findHostAddresses();
                found = choose(HostProcess.listener(peer.get()).stream().toList());
                if (found.isEmpty()) {
                    // A slow search, so only where it is needed: the guest may stand still meanwhile.
                    found = choose(HostProcess.holders(peer.get(), qmp.socket()));
                }
            }
            reason = refusal;
        }
        process = found;
        try {
            memory = new LeasedMemory(new RegionMemory(parts(found)));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
        if (process.isEmpty()) {
            findings.add(Finding.note("memory is read through files that QEMU saves (pmemsave), about ten times"
                    + " slower than from its process, because " + reason));
        }
    }

    /**
     * Whether what was found out still holds. Only what it takes to be sure is asked of the guest, which stands still: the
     * largest region is looked at once, and those that changed while it ran.
     */
    private boolean isStill(Known known) throws IOException {
        if (!known.regions().equals(regions)) {
            return false;
        }
        if (known.process().isEmpty()) {
            return true;
        }
        ProcessMemory holder = known.process().get();
        hostAddresses.putAll(known.hostAddresses());
        for (MemoryRegion region : known.unproven()) {
            Long address = hostAddresses.get(region);
            if (address == null || !isSame(holder, region, address)) {
                hostAddresses.remove(region);
            }
        }
        Optional<Map.Entry<MemoryRegion, Long>> largest = hostAddresses.entrySet().stream()
                .max(Comparator.comparingLong(place -> place.getKey().range().size()));
        boolean holds = largest.isPresent() && beginsSame(holder, largest.get().getKey(), largest.get().getValue());
        if (!holds) {
            hostAddresses.clear();
        }
        return holds;
    }

    /**
     * Finds the way to every region.
     *
     * @param regions of the guest; it stands still, or what is read of it does not matter
     * @param known what was found out before, if that was
     * @throws SourceException if there is no way
     */
    static MemoryAccess open(QmpClient qmp, Watchdog watchdog, List<MemoryRegion> regions, Optional<Known> known)
            throws IOException {
        return new MemoryAccess(qmp, watchdog, regions, known);
    }

    /** What was found out. */
    Known known() {
        return new Known(regions, process, Map.copyOf(hostAddresses), Set.copyOf(unproven), reason);
    }

    /** The memory, until {@link #close()}. */
    LeasedMemory memory() {
        return memory;
    }

    /** What the user should know about the way. */
    List<Finding> findings() {
        return List.copyOf(findings);
    }

    private void findHostAddresses() throws IOException {
        for (MemoryRegion region : regions) {
            if (region.hasContent()) {
                String first = Long.toHexString(region.range().first());
                String answer = qmp.monitor("gpa2hva 0x" + first, QemuSource.COMMAND);
                Matcher matcher = HOST_ADDRESS.matcher(answer.strip());
                if (matcher.find()) {
                    hostAddresses.put(region, Long.parseUnsignedLong(matcher.group(1), 16));
                }
            }
        }
    }

    private Optional<ProcessMemory> choose(List<Integer> candidates) throws IOException {
        for (int candidate : candidates) {
            try {
                ProcessMemory process = new ProcessMemory(candidate);
                if (holdsGuest(process)) {
                    return Optional.of(process);
                }
                refusal = "process " + candidate + " does not hold the guest's bytes where the monitor says";
            } catch (SourceException e) {
                refusal = e.getMessage();
            }
        }
        return Optional.empty();
    }

    /** Notes which host addresses did not prove right, if this is the process. */
    private boolean holdsGuest(ProcessMemory process) throws IOException {
        Set<MemoryRegion> wrong = new HashSet<>();
        long rightBytes = 0;
        long wrongBytes = 0;
        for (Map.Entry<MemoryRegion, Long> mapped : hostAddresses.entrySet()) {
            MemoryRegion region = mapped.getKey();
            if (isSame(process, region, mapped.getValue())) {
                rightBytes += region.range().size();
            } else {
                wrongBytes += region.range().size();
                wrong.add(region);
            }
        }
        if (rightBytes <= wrongBytes) {
            return false;
        }
        unproven.addAll(wrong);
        return true;
    }

    private boolean isSame(ProcessMemory process, MemoryRegion region, long hostAddress) throws IOException {
        long size = region.range().size();
        long sample = sampleOf(region);
        return sample > 0
                && isSameAt(process, region, hostAddress, 0, sample)
                && isSameAt(process, region, hostAddress, size - sample, sample);
    }

    private static long sampleOf(MemoryRegion region) {
        return Math.min(SAMPLE, region.range().size()) & -Long.BYTES;
    }

    private boolean beginsSame(ProcessMemory process, MemoryRegion region, long hostAddress) throws IOException {
        return isSameAt(process, region, hostAddress, 0, sampleOf(region));
    }

    private boolean isSameAt(ProcessMemory process, MemoryRegion region, long hostAddress, long offset, long size)
            throws IOException {
        long address = region.range().first() + offset;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment bytes = arena.allocate(size, Long.BYTES);
            for (int look = 0; look < LOOKS; look++) {
                if (process.read(hostAddress + offset, bytes) == size && bytesAre(bytes, address)) {
                    return true;
                }
            }
            return false;
        }
    }

    private boolean bytesAre(MemorySegment bytes, long address) throws IOException {
        long count = bytes.byteSize() / Long.BYTES;
        String text = qmp.monitor("xp /" + count + "gx 0x" + Long.toHexString(address), QemuSource.COMMAND);
        Matcher quadword = QUADWORD.matcher(text);
        for (long i = 0; i < count; i++) {
            if (!quadword.find() || Long.parseUnsignedLong(quadword.group(1), 16) != bytes.get(U64, i * Long.BYTES)) {
                return false;
            }
        }
        return true;
    }

    private List<RegionMemory.Part> parts(Optional<ProcessMemory> process) {
        List<RegionMemory.Part> parts = new ArrayList<>();
        for (MemoryRegion region : regions) {
            RegionContents contents;
            if (!region.hasContent()) {
                contents = RegionContents.absent();
            } else if (process.isPresent() && hostAddresses.containsKey(region) && !unproven.contains(region)) {
                contents = processContents(process.get(), region, hostAddresses.get(region));
            } else {
                contents = saved(region, process.isPresent());
            }
            parts.add(new RegionMemory.Part(region, contents));
        }
        return parts;
    }

    private RegionContents processContents(ProcessMemory process, MemoryRegion region, long hostAddress) {
        Optional<PageMap> map = pageMap;
        if (map.isEmpty()) {
            map = PageMap.of(process.process());
            pageMap = map;
        }
        long size = region.range().size();
        return new ProcessContents(
                process,
                hostAddress,
                map.filter(known -> known.covers(hostAddress, size)),
                map.filter(known -> known.isShared(hostAddress, size)).isPresent());
    }

    /** A flash chip that cannot be had is no reason to give up all the rest; if it is all there is to have, it is. */
    private RegionContents saved(MemoryRegion region, boolean isTheRest) {
        try {
            return new SavedContents(savedMemory(region), region.range());
        } catch (SourceException e) {
            if (!isTheRest) {
                throw e;
            }
            findings.add(Finding.damage("region " + region.name() + " at 0x"
                    + Long.toHexString(region.range().first()) + " cannot be read: " + e.getMessage()));
            return new UnreadableContents();
        }
    }

    private SavedMemory savedMemory(MemoryRegion first) {
        SavedMemory ready = saved;
        if (ready == null) {
            ready = new SavedMemory(qmp, watchdog, Path.of(System.getProperty("java.io.tmpdir")));
            try {
                ready.check(first.range().first());
            } catch (SourceException e) {
                ready.close();
                throw e;
            }
            saved = ready;
        }
        return ready;
    }

    /** What there is no way to. */
    private static final class UnreadableContents implements RegionContents {

        @Override
        public long readAvailable(long offset, MemorySegment target) {
            return 0;
        }

        @Override
        public Run runAt(long offset, long remaining) {
            return new Run(PageState.UNREADABLE, remaining);
        }
    }

    @Override
    public void close() {
        pageMap.ifPresent(PageMap::close);
        SavedMemory open = saved;
        if (open != null) {
            open.close();
        }
    }
}

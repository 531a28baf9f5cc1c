package dev.guestcore.format.kdump;

import dev.guestcore.GuestMemory;
import dev.guestcore.Progress;
import dev.guestcore.inspect.VmcoreInfo;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One pass over the memory of a guest without a note about its kernel, before its kdump is laid out: looks for VMCOREINFO,
 * for the banner, and for pages that are all zero, so that nothing of this makes memory be read again. Where VMCOREINFO is
 * found the pass ends, and says nothing of what lies behind. Immutable.
 */
final class MemorySurvey {

    private static final int PAGE = 4096;
    private static final int PAGE_SHIFT = 12;

    /** Pages of which one bit each is kept together; so many of these are kept at most, 512 GiB of memory. */
    private static final int GROUP_SHIFT = 18;

    private static final int MOST_GROUPS = 512;

    private final Map<Long, MemorySegment> zeroPages;
    private final Optional<VmcoreInfo> vmcoreInfo;
    private final Optional<LinuxBanner> banner;

    private MemorySurvey(Observer observer, Optional<VmcoreInfo> vmcoreInfo) {
        this.zeroPages = observer.zeroPages;
        this.vmcoreInfo = vmcoreInfo;
        this.banner = observer.banner;
    }

    /** A survey that knows nothing. */
    MemorySurvey() {
        this.zeroPages = Map.of();
        this.vmcoreInfo = Optional.empty();
        this.banner = Optional.empty();
    }

    /** Reads memory. */
    static MemorySurvey of(GuestMemory memory) {
        Observer observer = new Observer(memory);
        return new MemorySurvey(observer, VmcoreInfo.find(memory, Progress.none(), observer));
    }

    /** VMCOREINFO, if it was looked for and found. */
    Optional<VmcoreInfo> vmcoreInfo() {
        return vmcoreInfo;
    }

    /** The banner, if it was looked for and found; of a guest with VMCOREINFO not even then. */
    Optional<LinuxBanner> banner() {
        return banner;
    }

    /** Whether a page is known to be all zero; of others nothing is known. */
    boolean isZero(long page) {
        MemorySegment group = zeroPages.get(page >>> GROUP_SHIFT);
        return group != null && (group.get(ValueLayout.JAVA_BYTE, byteOf(page)) >>> (page & 7) & 1) != 0;
    }

    private static long byteOf(long page) {
        return (page & (1 << GROUP_SHIFT) - 1) >>> 3;
    }

    private static final class Observer implements VmcoreInfo.Beholder {

        private final GuestMemory memory;
        private final Map<Long, MemorySegment> zeroPages = new HashMap<>();
        private final MemorySegment zeroPage = Arena.ofAuto().allocate(PAGE, PAGE);
        private Optional<LinuxBanner> banner = Optional.empty();

        Observer(GuestMemory memory) {
            this.memory = memory;
        }

        @Override
        public void see(long address, MemorySegment bytes) {
            for (long at = 0; at < bytes.byteSize(); ) {
                long size = Math.min(bytes.byteSize() - at, PAGE - (address + at & PAGE - 1));
                if (size == PAGE && MemorySegment.mismatch(bytes, at, at + PAGE, zeroPage, 0, PAGE) < 0) {
                    remember(address + at >>> PAGE_SHIFT);
                } else if (banner.isEmpty()) {
                    banner = LinuxBanner.find(memory, address + at, bytes, at, size);
                }
                at += size;
            }
        }

        /** Its edges only: of what lies between, whoever asks memory itself hears that all of it is zero. */
        @Override
        public void seeZeros(long first, long last) {
            long page = (first >>> PAGE_SHIFT) + ((first & PAGE - 1) == 0 ? 0 : 1);
            long end = (last >>> PAGE_SHIFT) + ((last + 1 & PAGE - 1) == 0 ? 1 : 0);
            for (long i = 0; i < PagePump.CHUNK_PAGES; i++) {
                if (page + i < end) {
                    remember(page + i);
                    remember(end - 1 - i);
                }
            }
        }

        private void remember(long page) {
            MemorySegment group = zeroPages.get(page >>> GROUP_SHIFT);
            if (group == null) {
                if (zeroPages.size() == MOST_GROUPS) {
                    return;
                }
                group = Arena.ofAuto().allocate((1 << GROUP_SHIFT) / Byte.SIZE, Long.BYTES);
                zeroPages.put(page >>> GROUP_SHIFT, group);
            }
            long at = byteOf(page);
            group.set(ValueLayout.JAVA_BYTE, at, (byte) (group.get(ValueLayout.JAVA_BYTE, at) | 1 << (page & 7)));
        }
    }
}

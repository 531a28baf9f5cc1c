package dev.guestcore.internal.kernel;

import dev.guestcore.GuestMemory;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.kernel.LinuxBanner;
import dev.guestcore.kernel.VmcoreInfo;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * Looks for what a Linux kernel says of itself, VMCOREINFO and banner, in pages that are read to be written, so that memory is
 * not read for that alone. Pages are looked at in any number of threads, each with a {@link Collector} of its own; what was found
 * is then {@linkplain #take taken} by one thread in the order of addresses.
 */
public final class KernelSearch {

    private static final int PAGE = Architecture.SMALLEST_PAGE;

    /** The kernel has a page for it (VMCOREINFO_BYTES), so a longer one is none. */
    public static final int LONGEST_VMCOREINFO = PAGE;

    private final GuestMemory memory;
    private volatile boolean wantsVmcoreInfo;
    private volatile boolean wantsBanner;
    private final VmcoreInfo.Collector vmcoreInfo = new VmcoreInfo.Collector(LONGEST_VMCOREINFO);
    private Optional<LinuxBanner> banner = Optional.empty();

    /**
     * Begins.
     *
     * @param wanted whether anything is to be looked for
     */
    public KernelSearch(GuestMemory memory, boolean wanted) {
        this.memory = memory;
        this.wantsVmcoreInfo = wanted;
        this.wantsBanner = wanted;
    }

    /** What one stretch of memory holds. Not thread-safe. */
    public final class Collector {

        private final VmcoreInfo.Collector vmcoreInfo = KernelSearch.this.vmcoreInfo.another();
        private Optional<LinuxBanner> banner = Optional.empty();

        /**
         * Looks at the next page of the stretch. One that is all zero need not be shown.
         *
         * @param address guest-physical address of the page
         * @param page its bytes
         */
        public void look(long address, MemorySegment page) {
            if (!wantsVmcoreInfo) {
                return;
            }
            vmcoreInfo.look(memory, address, page, 0);
            if (wantsBanner && banner.isEmpty()) {
                banner = LinuxBanner.find(memory, address, page, 0, PAGE);
            }
        }
    }

    /** Takes what the next stretch holds, and forgets it there. */
    public void take(Collector finds) {
        vmcoreInfo.take(finds.vmcoreInfo);
        banner = banner.or(() -> finds.banner);
        if (vmcoreInfo.isSettled()) {
            wantsVmcoreInfo = false;
        }
        if (banner.isPresent() || !vmcoreInfo.isEmpty()) {
            wantsBanner = false;
        }
        finds.banner = Optional.empty();
    }

    /** Everything that is VMCOREINFO in what was taken. */
    public List<VmcoreInfo> vmcoreInfo() {
        return vmcoreInfo.all();
    }

    /** The banner in what was taken; of a guest with VMCOREINFO not even then. */
    public Optional<LinuxBanner> banner() {
        return banner;
    }
}

package dev.guestcore.linux.export;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.PageKinds;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * Leaves pages of some kinds out of a guest that runs Linux, as makedumpfile does, but by the kernel's own description of its types
 * in memory:
 *
 * <pre>{@code
 * PageFilter filter = PageFilter.of(EnumSet.of(PageKinds.Kind.FREE, PageKinds.Kind.USER));
 * FilteredGuest less = filter.apply(guest, Progress.none());
 * KdumpWriter.standard().write(less, Path.of("small.kdump"), Progress.none());
 * }</pre>
 *
 * <p>A page whose kind cannot be read stays. Immutable and thread-safe.
 */
public final class PageFilter {

    private final Set<PageKinds.Kind> kinds;
    private final boolean zeros;

    private PageFilter(Set<PageKinds.Kind> kinds, boolean zeros) {
        this.kinds = kinds;
        this.zeros = zeros;
    }

    /** Leaves out pages of these kinds. */
    public static PageFilter of(Set<PageKinds.Kind> kinds) {
        EnumSet<PageKinds.Kind> copy = EnumSet.noneOf(PageKinds.Kind.class);
        copy.addAll(kinds);
        return new PageFilter(copy, false);
    }

    /**
     * Leaves out pages of zeros as well, of which all memory has to be read. A kdump does not need it, because all its pages of
     * zeros are one.
     */
    public PageFilter withZeros() {
        return new PageFilter(kinds, true);
    }

    /**
     * The guest without these pages, which are {@link dev.guestcore.PageState#EXCLUDED} then. Closing it closes the guest.
     *
     * @param progress of what is read; may cancel
     * @throws LinuxException if kinds of pages are wanted, and the guest runs no Linux, or one whose types do not tell them
     */
    public FilteredGuest apply(Guest guest, Progress progress) {
        PageSet left = new PageSet();
        Map<PageKinds.Kind, Long> bytes = new EnumMap<>(PageKinds.Kind.class);
        long unknown = 0;
        if (!kinds.isEmpty()) {
            progress.begin("looking for the kernel", PageSet.bytesOf(guest.memory()));
            Linux linux = Linux.of(guest, progress);
            linux.requireTypes();
            PageKinds pages = PageKinds.find(linux)
                    .orElseThrow(() -> new LinuxException(
                            "what pages are used for can be told of kernels of x86-64 only, whose types say so; write"
                                    + " all pages"));
            progress.begin("looking at pages", PageSet.bytesOf(guest.memory()));
            unknown = pages.show(progress, (kind, first, count) -> {
                if (kinds.contains(kind)) {
                    bytes.merge(kind, left.add(guest.memory(), first, count), Long::sum);
                }
            });
        }
        long zeroBytes = 0;
        if (zeros) {
            progress.begin("looking for pages of zeros", PageSet.bytesOf(guest.memory()));
            zeroBytes = left.addZeros(guest.memory(), progress);
        }
        return new FilteredGuest(guest, left, bytes, zeroBytes, unknown);
    }
}

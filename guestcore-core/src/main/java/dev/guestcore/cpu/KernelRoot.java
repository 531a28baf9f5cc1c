package dev.guestcore.cpu;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;

/**
 * Page tables that a kernel may have as its own.
 *
 * @param paging the rules
 * @param kernel a virtual address of the kernel's
 * @param from who names them, for people
 * @param places where they must lead, so that a wrong guess is noticed
 */
public record KernelRoot(Paging paging, long kernel, String from, List<Place> places) {

    /** Where a virtual address lies. */
    public record Place(long virtual, long physical) {

        @Override
        public String toString() {
            return "0x" + Long.toHexString(virtual) + " at 0x" + Long.toHexString(physical);
        }
    }

    /** What all Linux kernels name, in their image. */
    private static final List<String> IN_IMAGE = List.of("_stext", "init_uts_ns", "swapper_pg_dir");

    /** Copies the list. */
    public KernelRoot {
        Objects.requireNonNull(paging);
        Objects.requireNonNull(from);
        places = List.copyOf(places);
    }

    /**
     * Places of a kernel's image that lies in one piece.
     *
     * @param offset what a virtual address of it is above the physical one
     */
    public static List<Place> places(KernelNumbers numbers, long offset) {
        List<Place> places = new ArrayList<>();
        for (String name : IN_IMAGE) {
            OptionalLong symbol = numbers.symbol(name);
            if (symbol.isPresent()) {
                places.add(new Place(symbol.getAsLong(), symbol.getAsLong() - offset));
            }
        }
        return places;
    }

    @Override
    public String toString() {
        return "KernelRoot[paging=" + paging + ", kernel=0x" + Long.toHexString(kernel) + ", from=" + from + ", places="
                + places
                + "]";
    }
}

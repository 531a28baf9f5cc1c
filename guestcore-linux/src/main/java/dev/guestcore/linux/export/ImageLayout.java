package dev.guestcore.linux.export;

import static dev.guestcore.linux.export.ExportSection.ALLOC;
import static dev.guestcore.linux.export.ExportSection.EXECUTE;
import static dev.guestcore.linux.export.ExportSection.WRITE;

import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.export.ExportSection.Kind;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * The sections of a kernel, as far as symbols tell where they begin and end. Debuggers go by their names: crash wants
 * {@code .text}, {@code .data}, {@code .rodata} and {@code .data..percpu} with bytes, drgn knows a kernel by
 * {@code .init.text}. Immutable.
 */
final class ImageLayout {

    /** More than any kernel has for the variables of one CPU. */
    private static final long MOST_PER_CPU = 1 << 24;

    private static final long LARGEST_IMAGE = 1L << 30;

    /** What the kernel keeps free behind its image takes less. */
    private static final long MOST_BEHIND = 64L << 20;

    /** A place where a section begins; it ends at its own end, if a symbol tells it, or where the next one begins. */
    private record Cut(String start, String end, String name, Kind kind, long flags) {}

    private static final List<Cut> CUTS = List.of(
            new Cut("_text", "_etext", ".text", Kind.COPIED, ALLOC | EXECUTE),
            new Cut("__start_rodata", "", ".rodata", Kind.COPIED, ALLOC),
            new Cut("__start_notes", "", ".notes", Kind.NOTES, ALLOC),
            new Cut("__start_BTF", "", ".BTF", Kind.COPIED, ALLOC),
            new Cut("__stop_BTF", "__end_rodata", ".rodata.rest", Kind.COPIED, ALLOC),
            new Cut("_sdata", "", ".data", Kind.COPIED, ALLOC | WRITE),
            new Cut("__start_orc_unwind_ip", "", ".orc_unwind_ip", Kind.COPIED, ALLOC),
            new Cut("__start_orc_unwind", "", ".orc_unwind", Kind.COPIED, ALLOC),
            new Cut("__stop_orc_unwind", "", ".data.rest", Kind.COPIED, ALLOC | WRITE),
            new Cut("__init_begin", "", ".init.begin", Kind.FREED, ALLOC | WRITE),
            new Cut("__per_cpu_start", "__per_cpu_end", ".data..percpu", Kind.FREED, ALLOC | WRITE),
            new Cut("_sinittext", "", ".init.text", Kind.FREED, ALLOC | EXECUTE),
            new Cut("_einittext", "", ".init.data", Kind.FREED, ALLOC | WRITE),
            new Cut("__init_end", "", ".data.nosave", Kind.COPIED, ALLOC | WRITE),
            new Cut("__bss_start", "", ".bss", Kind.UNINITIALIZED, ALLOC | WRITE),
            new Cut("__brk_base", "", ".brk", Kind.UNINITIALIZED, ALLOC | WRITE));

    private record Place(long address, long end, Cut cut) {}

    private final long slide;
    private final long first;
    private final long last;
    private final long perCpuSize;
    private final List<ExportSection> sections;

    private ImageLayout(long slide, long first, long last, long perCpuSize, List<ExportSection> sections) {
        this.slide = slide;
        this.first = first;
        this.last = last;
        this.perCpuSize = perCpuSize;
        this.sections = List.copyOf(sections);
    }

    /**
     * The layout of a kernel.
     *
     * @param slide bytes from the link address to the address in the running guest
     * @throws LinuxException if the symbols do not tell where the kernel begins and ends
     */
    static ImageLayout of(KernelSymbols symbols, long slide) {
        long first = require(symbols, "_text");
        long last = require(symbols, "_end");
        if (last - first <= 0 || last - first > LARGEST_IMAGE) {
            throw new LinuxException("the symbols _text and _end are 0x" + Long.toHexString(last - first)
                    + " bytes apart, expected up to 1 GiB; the symbol table is damaged");
        }
        long perCpuSize = address(symbols, "__per_cpu_start").filter(start -> start == 0).isPresent()
                ? address(symbols, "__per_cpu_end").filter(end -> end > 0 && end <= MOST_PER_CPU).orElse(0L)
                : 0;
        List<ExportSection> sections = new ArrayList<>();
        if (perCpuSize > 0) {
            sections.add(new ExportSection(".data..percpu", Kind.FREED, ALLOC | WRITE, 0, perCpuSize));
        }
        sections.addAll(inImage(symbols, first, last, slide));
        return new ImageLayout(slide, first, last, perCpuSize, sections);
    }

    private static List<ExportSection> inImage(KernelSymbols symbols, long first, long last, long slide) {
        List<Place> places = CUTS.stream()
                .flatMap(cut -> address(symbols, cut.start())
                        .filter(start -> start >= first && start < last)
                        .map(start -> new Place(
                                start, cut.end().isEmpty() ? 0 : address(symbols, cut.end()).orElse(0L), cut))
                        .stream())
                .sorted(Comparator.comparingLong(Place::address))
                .toList();
        List<ExportSection> sections = new ArrayList<>();
        for (int i = 0; i < places.size(); i++) {
            Place place = places.get(i);
            long next = i + 1 < places.size() ? places.get(i + 1).address() : last;
            long end = place.end() > place.address() && place.end() < next ? place.end() : next;
            if (end > place.address()) {
                Cut cut = place.cut();
                sections.add(new ExportSection(
                        cut.name(), cut.kind(), cut.flags(), place.address() - slide, end - place.address()));
            }
        }
        return sections;
    }

    private static Optional<Long> address(KernelSymbols symbols, String name) {
        return symbols.find(name).map(Symbol::address);
    }

    private static long require(KernelSymbols symbols, String name) {
        return address(symbols, name)
                .orElseThrow(() -> new LinuxException("the kernel's symbols have no " + name
                        + ", so it is not known where the kernel begins or ends; such a kernel cannot be exported"));
    }

    /** The sections, ascending by link address. */
    List<ExportSection> sections() {
        return sections;
    }

    /** Whether an address of the running guest is in the image, or just behind it as {@code _end} is. */
    boolean contains(long address) {
        return address >= first && address <= last;
    }

    /**
     * Whether KASLR moved the address of a symbol of the kernel itself: in the image, or in what it keeps free behind it
     * ({@code .init.scratch}), of which only symbols are left.
     */
    private boolean isMoved(long address) {
        return address >= first && address - last <= MOST_BEHIND;
    }

    /** The link address of an address in the running guest; what KASLR does not move stays as it is. */
    long linked(long address) {
        return isMoved(address) ? address - slide : address;
    }

    /** The address in the running guest of a link address in the image. */
    long running(long linked) {
        return linked + slide;
    }

    /** Link address where the kernel begins. */
    long start() {
        return first - slide;
    }

    /** Link address behind the kernel's last byte. */
    long end() {
        return last - slide;
    }

    /**
     * The section that a symbol belongs to: the one that holds it, or for one at an end, the last one below it. Symbols behind
     * the image have none, and stay where they are: crash moves what is in sections only, and wants its table in order.
     *
     * @param address in the running guest
     * @return its position in {@link #sections()}, or -1 for an absolute symbol
     */
    int sectionOf(long address) {
        if (!contains(address)) {
            return perCpuSize > 0 && address >= 0 && address <= perCpuSize ? 0 : -1;
        }
        long linked = address - slide;
        int found = -1;
        for (int i = perCpuSize > 0 ? 1 : 0; i < sections.size(); i++) {
            if (sections.get(i).address() <= linked) {
                found = i;
            }
        }
        return found;
    }
}

package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.PagingMode;
import dev.guestcore.cpu.RegisterState;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.Kallsyms;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Where a kernel of arm64 lies whose symbols were found, and its page tables. Facts (documentation of Linux, arch/arm64/memory,
 * arch/arm64/booting): the image is contiguous in physical memory and moved by multiples of 64 KiB; it is mapped in the upper half
 * of the kernel's addresses, above all that is mapped one to one. Its header is not always left in memory.
 */
final class Arm64Image {

    /** No image is larger. */
    static final long LARGEST = 128L << 20;

    private static final long ALIGNMENT = 1 << 16;
    private static final int PAGE = 4096;
    private static final int CHUNK = 1 << 20;
    private static final long MOST_TABLES = 1 << 16;
    private static final int NARROWEST_IMAGE_BITS = 48;

    /** How many pages may be tried as a root. */
    private static final int MOST_ROOTS = 1 << 15;

    private static final int MOST_VCPUS = 16;

    private final Guest guest;
    private final GuestMemory memory;
    private final Kallsyms kallsyms;
    /** Of addresses as the tables have them, which may be physical. */
    private final KernelSymbols symbols;

    Arm64Image(Guest guest, Kallsyms kallsyms) {
        this.guest = guest;
        this.memory = guest.memory();
        this.kallsyms = kallsyms;
        this.symbols = kallsyms.symbols(0, new AddressRange(0, -1L));
    }

    /** An address space that may be the kernel's, and where it comes from. */
    private record Root(AddressSpace space, String from) {}

    Optional<ImagePlace> find() {
        OptionalLong start = address("_text", "_stext");
        if (start.isEmpty()) {
            return Optional.empty();
        }
        return kallsyms.isPhysical() ? findByPlace(start.getAsLong()) : findByAddress(start.getAsLong());
    }

    /** The tables tell physical addresses: page tables tell where these are mapped. */
    private Optional<ImagePlace> findByPlace(long start) {
        for (Root root : named(0)) {
            int bits = Math.min(root.space.paging().mode().virtualBits(), NARROWEST_IMAGE_BITS);
            OptionalLong virtual = mappedAt(root.space, new AddressRange(-1L << bits - 1, -1L), start);
            long shift = virtual.orElse(0) - start;
            if (virtual.isPresent() && maps(root.space, shift, start)) {
                return Optional.of(place(shift, root, shift, start));
            }
        }
        return Optional.empty();
    }

    private static OptionalLong mappedAt(AddressSpace space, AddressRange range, long physical) {
        long[] virtual = {0};
        try {
            space.pieces(range, MOST_TABLES, (mapped, from, size, pageSize, repeated) -> {
                if (Long.compareUnsigned(physical - from, size) < 0 && virtual[0] == 0) {
                    virtual[0] = mapped + physical - from;
                }
            });
        } catch (GuestcoreException e) {
            return OptionalLong.empty();
        }
        return virtual[0] == 0 ? OptionalLong.empty() : OptionalLong.of(virtual[0]);
    }

    /** The tables tell virtual addresses: page tables tell where these lie, or else all places of the tables are tried. */
    private Optional<ImagePlace> findByAddress(long start) {
        if (start >= 0) {
            return Optional.empty();
        }
        Optional<ImagePlace> found = ofVcpus().stream()
                .flatMap(root -> mapped(root, start).stream())
                .findFirst();
        if (found.isPresent()) {
            return found;
        }
        OptionalLong table = address("swapper_pg_dir");
        return table.isPresent() ? findByRoot(start, table.getAsLong()) : search(start);
    }

    private Optional<ImagePlace> findByRoot(long start, long table) {
        long end = address("_end").orElse(start + LARGEST);
        long first = start & -ALIGNMENT | kallsyms.place() & ALIGNMENT - 1;
        for (long virtual = first; virtual < end; virtual += ALIGNMENT) {
            long delta = virtual - kallsyms.place();
            for (Root root : ofRoot(table - delta, "the kernel's own page tables (swapper_pg_dir)")) {
                if (maps(root.space, delta, start)) {
                    return Optional.of(place(delta, root, 0, start));
                }
            }
        }
        return Optional.empty();
    }

    /** The kernel, if these page tables map its code and its tables with the same distance. */
    private Optional<ImagePlace> mapped(Root root, long start) {
        long code = start + PAGE;
        try {
            return root.space
                    .translate(code)
                    .guestPhysical()
                    .map(found -> code - found.value())
                    .filter(delta -> maps(root.space, delta, start))
                    .map(delta -> place(delta, root, 0, start));
        } catch (GuestcoreException e) {
            return Optional.empty();
        }
    }

    /**
     * Page tables that symbols and registers name.
     *
     * @param delta what to take from an address of the tables of symbols to make it physical
     */
    private List<Root> named(long delta) {
        List<Root> roots = new ArrayList<>();
        OptionalLong symbol = address("swapper_pg_dir");
        if (symbol.isPresent()) {
            roots.addAll(ofRoot(symbol.getAsLong() - delta, "the kernel's own page tables (swapper_pg_dir)"));
        }
        roots.addAll(ofVcpus());
        return roots;
    }

    private List<Root> ofVcpus() {
        List<Root> roots = new ArrayList<>();
        for (Vcpu vcpu : guest.vcpus().stream().limit(MOST_VCPUS).toList()) {
            try {
                roots.add(new Root(AddressSpace.of(guest, vcpu), "page tables of vCPU " + vcpu.index()));
            } catch (GuestcoreException e) {
                // An ELF core has no such registers.
                assert e.getMessage() != null;
            }
        }
        return roots;
    }

    /** Where no symbol names the root, it is one of the pages of the image, in which the tables of symbols lie, too. */
    private Optional<ImagePlace> search(long start) {
        byte[] chunk = new byte[CHUNK];
        int tried = 0;
        long first = Math.max(0, kallsyms.place() - LARGEST) & -CHUNK;
        for (long at = first; at < kallsyms.place() + LARGEST && tried < MOST_ROOTS; at += CHUNK) {
            int size = (int) memory.readAvailable(at, MemorySegment.ofArray(chunk)) & -PAGE;
            for (int page = 0; page < size && tried < MOST_ROOTS; page += PAGE) {
                if (isTable(chunk, page)) {
                    tried++;
                    Optional<ImagePlace> found = ofRoot(at + page, "page tables found in its image").stream()
                            .flatMap(root -> mapped(root, start).stream())
                            .findFirst();
                    if (found.isPresent()) {
                        return found;
                    }
                }
            }
        }
        return Optional.empty();
    }

    /** Whether all words of a page are 0 or point to tables, and some do. */
    private static boolean isTable(byte[] chunk, int page) {
        boolean any = false;
        for (int at = page; at < page + PAGE; at += Long.BYTES) {
            int low = chunk[at] & 3;
            boolean isZero = true;
            for (int i = 0; i < Long.BYTES; i++) {
                isZero &= chunk[at + i] == 0;
            }
            if (!isZero && low != 3) {
                return false;
            }
            any |= !isZero;
        }
        return any;
    }

    private List<Root> ofRoot(long physical, String from) {
        Vcpu nobody = new Vcpu(0, RegisterState.builder().build());
        List<Root> roots = new ArrayList<>();
        for (PagingMode mode : Architectures.ARM64.pagingModes()) {
            if (mode.hasTables()) {
                TranslationOptions stated =
                        TranslationOptions.defaults().withMode(mode).withKernelRoot(physical);
                Architectures.ARM64
                        .paging(nobody, List.of(nobody), stated)
                        .ifPresent(paging -> roots.add(new Root(AddressSpace.of(memory, paging.because(from)), from)));
            }
        }
        return roots;
    }

    private OptionalLong address(String... names) {
        for (String name : names) {
            Optional<Symbol> symbol = symbols.find(name);
            if (symbol.isPresent()) {
                return OptionalLong.of(symbol.get().address());
            }
        }
        return OptionalLong.empty();
    }

    /** Whether the image is mapped as the difference of virtual and physical addresses says, at its code and at its tables. */
    private boolean maps(AddressSpace space, long delta, long start) {
        long table = kallsyms.place();
        // The first pages may be unmapped: they hold the header and what is needed only to boot.
        long code = address("_stext").orElse(start) + PAGE - (kallsyms.isPhysical() ? 0 : delta);
        return leads(space, table + delta, table) && leads(space, code + delta, code);
    }

    private static boolean leads(AddressSpace space, long virtual, long physical) {
        try {
            Optional<PhysicalAddress> found = space.translate(virtual).guestPhysical();
            return found.isPresent() && found.get().value() == physical;
        } catch (GuestcoreException e) {
            return false;
        }
    }

    private static long mappedEnd(AddressSpace space, long start, long delta) {
        long[] end = {start};
        AddressRange range = AddressRange.ofSize(start, LARGEST);
        space.pieces(range, MOST_TABLES, (virtual, physical, size, pageSize, repeated) -> {
            if (virtual - delta == physical) {
                end[0] = virtual + size;
            }
        });
        return end[0];
    }

    private ImagePlace place(long delta, Root root, long shift, long table) {
        long start = table + shift;
        OptionalLong last = address("_end");
        long end = last.isPresent() && last.getAsLong() - table < LARGEST && last.getAsLong() > table
                ? last.getAsLong() + shift
                : mappedEnd(root.space, start, delta);
        String how = "kallsyms (" + kallsyms.form().title() + ") at guest-physical 0x"
                + Long.toHexString(kallsyms.place()) + ", mapped by " + root.from;
        return new ImagePlace(new AddressRange(start, Math.max(end, start + PAGE) - 1), start - delta, shift,
                root.space, how);
    }
}

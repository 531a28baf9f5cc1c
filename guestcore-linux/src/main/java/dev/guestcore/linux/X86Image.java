package dev.guestcore.linux;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.Kallsyms;
import dev.guestcore.linux.symbols.KernelSymbols;
import dev.guestcore.linux.symbols.Symbol;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Where a kernel of x86-64 lies whose symbols were found, and its page tables. Facts (documentation of Linux,
 * arch/x86/x86_64/mm, arch/x86/boot.rst): the image is mapped from 0xffffffff80000000 on, in at most 1 GiB; both its virtual and
 * its physical address are multiples of 2 MiB; it is contiguous in physical memory. With page-table isolation the root of user
 * mode lies 4 KiB behind the kernel's.
 */
final class X86Image {

    /** Where images are mapped. */
    static final AddressRange WINDOW = AddressRange.ofSize(0xffff_ffff_8000_0000L, 1L << 30);

    /** Where {@code _text} is linked unless configured otherwise. */
    static final long LINKED = 0xffff_ffff_8100_0000L;

    /** No image is larger. */
    static final long LARGEST = 128L << 20;

    private static final long ALIGNMENT = 2L << 20;
    private static final long PAGE = X86Architecture.PAGE_SIZE;
    private static final long ISOLATION_BIT = 0x1000;
    private static final long MOST_TABLES = 1 << 12;
    private static final int PHYSICAL_BITS = 52;
    private static final long ADDRESS_BITS = 0x000f_ffff_ffff_f000L;

    /** From 4.13, in between, before. */
    private static final List<String> ROOTS = List.of("init_top_pgt", "swapper_pg_dir", "init_level4_pgt");

    private static final byte[] BANNER = "Linux version ".getBytes(StandardCharsets.US_ASCII);

    private final Guest guest;
    private final GuestMemory memory;
    private final Kallsyms kallsyms;
    /** Of addresses as the tables have them, which may be physical. */
    private final KernelSymbols symbols;

    X86Image(Guest guest, Kallsyms kallsyms) {
        this.guest = guest;
        this.memory = guest.memory();
        this.kallsyms = kallsyms;
        this.symbols = kallsyms.symbols(0, new AddressRange(0, -1L));
    }

    /** An address space that may be the kernel's, and where it comes from. */
    private record Root(AddressSpace space, String from) {}

    Optional<ImagePlace> find() {
        if (kallsyms.isPhysical()) {
            return findByPlace();
        }
        OptionalLong banner = address("linux_banner");
        // Where it is, page tables need not be tried in vain. It may be overwritten or left out.
        return (banner.isPresent() ? findByAddress(banner) : Optional.<ImagePlace>empty())
                .or(() -> findByAddress(OptionalLong.empty()))
                .or(this::findByTables);
    }

    /** The tables tell physical addresses: page tables tell where these are mapped. */
    private Optional<ImagePlace> findByPlace() {
        OptionalLong start = start();
        for (Root root : start.isPresent() ? roots(0) : List.<Root>of()) {
            OptionalLong virtual = mappedAt(root.space, start.getAsLong());
            long shift = virtual.orElse(0) - start.getAsLong();
            if (virtual.isPresent() && maps(root.space, shift)) {
                return place(shift, root, shift);
            }
        }
        return Optional.empty();
    }

    /** Where a place of physical memory is mapped among the images. */
    private static OptionalLong mappedAt(AddressSpace space, long physical) {
        long[] virtual = {0};
        try {
            space.pieces(WINDOW, MOST_TABLES, (mapped, from, size, pageSize, repeated) -> {
                if (Long.compareUnsigned(physical - from, size) < 0 && virtual[0] == 0) {
                    virtual[0] = mapped + physical - from;
                }
            });
        } catch (GuestcoreException e) {
            return OptionalLong.empty();
        }
        return virtual[0] == 0 ? OptionalLong.empty() : OptionalLong.of(virtual[0]);
    }

    /** The tables name code only: looks near them for page tables, which tell where they are mapped. */
    private Optional<ImagePlace> findByTables() {
        if (address(ROOTS.toArray(String[]::new)).isPresent() || guest.machineMemory().isPresent()) {
            return Optional.empty();
        }
        for (long physical : RootSearch.near(memory, kallsyms.place(), LARGEST)) {
            for (Root root : ofRoot(physical, 0, "page tables found near them")) {
                OptionalLong virtual = mappedAt(root.space, kallsyms.place());
                long delta = virtual.orElse(0) - kallsyms.place();
                if (virtual.isPresent() && maps(root.space, delta)) {
                    return place(delta, root, 0);
                }
            }
        }
        return Optional.empty();
    }

    /**
     * The tables tell virtual addresses: try all places that the tables themselves may have in the image.
     *
     * @param banner address of the text that has to be in its place; empty if it need not be
     */
    private Optional<ImagePlace> findByAddress(OptionalLong banner) {
        OptionalLong start = start();
        if (start.isEmpty() || !WINDOW.contains(start.getAsLong())) {
            return Optional.empty();
        }
        long end = Math.min(address("_end").orElse(start.getAsLong() + LARGEST), WINDOW.last());
        long first = start.getAsLong() & -ALIGNMENT | kallsyms.place() & ALIGNMENT - 1;
        for (long virtual = first; virtual < end; virtual += ALIGNMENT) {
            long delta = virtual - kallsyms.place();
            if (banner.isPresent() && !holdsBanner(banner.getAsLong() - delta)) {
                continue;
            }
            for (Root root : roots(delta)) {
                if (maps(root.space, delta)) {
                    return place(delta, root, 0);
                }
            }
        }
        return Optional.empty();
    }

    private boolean holdsBanner(long physical) {
        byte[] bytes = new byte[BANNER.length];
        return memory.readAvailable(physical, MemorySegment.ofArray(bytes)) == bytes.length
                && Arrays.equals(bytes, BANNER);
    }

    /**
     * Page tables to try.
     *
     * @param delta what to take from an address of the tables of symbols to make it physical
     */
    private List<Root> roots(long delta) {
        List<Root> roots = new ArrayList<>();
        if (guest.machineMemory().isEmpty()) {
            long mask = encryptionMask(delta);
            for (String name : ROOTS) {
                OptionalLong symbol = address(name);
                if (symbol.isPresent()) {
                    roots.addAll(
                            ofRoot(symbol.getAsLong() - delta, mask, "the kernel's own page tables (" + name + ")"));
                }
            }
        }
        for (Vcpu vcpu : guest.vcpus()) {
            AddressSpace space = ofVcpu(vcpu);
            if (space != null) {
                String from = "page tables of vCPU " + vcpu.index();
                roots.add(new Root(space, from));
                roots.add(new Root(space.withRoot(space.paging().root() & ~ISOLATION_BIT), from));
            }
        }
        return roots;
    }

    private List<Root> ofRoot(long physical, long mask, String from) {
        return List.of(X86PagingMode.FOUR_LEVEL, X86PagingMode.FIVE_LEVEL).stream()
                .map(mode -> X86Paging.ofKernel(mode, physical, mask, PHYSICAL_BITS, from))
                .map(paging -> new Root(AddressSpace.of(memory, paging), from))
                .toList();
    }

    private @Nullable AddressSpace ofVcpu(Vcpu vcpu) {
        try {
            AddressSpace space = AddressSpace.of(guest, vcpu);
            return space.paging().mode().addressBits() == Long.SIZE ? space : null;
        } catch (GuestcoreException e) {
            return null;
        }
    }

    /** The address bit that marks encrypted pages (AMD SME, SEV), which the kernel keeps in a variable. */
    private long encryptionMask(long delta) {
        OptionalLong variable = address("sme_me_mask");
        byte[] bytes = new byte[Long.BYTES];
        if (variable.isEmpty()
                || memory.readAvailable(variable.getAsLong() - delta, MemorySegment.ofArray(bytes)) < bytes.length) {
            return 0;
        }
        long mask = 0;
        for (int i = bytes.length - 1; i >= 0; i--) {
            mask = mask << Byte.SIZE | Byte.toUnsignedInt(bytes[i]);
        }
        return Long.bitCount(mask) == 1 ? mask & ADDRESS_BITS : 0;
    }

    /** Where code begins; if the symbols that say so are lost, the border below the first that is not. */
    private OptionalLong start() {
        OptionalLong named = address("_text", "_stext");
        return named.isPresent() || kallsyms.lost() == 0
                ? named
                : symbols.stream()
                        .filter(Symbol::isCode)
                        .mapToLong(symbol -> symbol.address() & -ALIGNMENT)
                        .filter(start -> kallsyms.isPhysical() || WINDOW.contains(start))
                        .findFirst();
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

    /** Whether the image is mapped as the difference of virtual and physical addresses says, at its start and at its tables. */
    private boolean maps(AddressSpace space, long delta) {
        long table = kallsyms.place();
        OptionalLong text = start();
        long code = text.orElse(0) + PAGE - (kallsyms.isPhysical() ? 0 : delta);
        return text.isPresent() && leads(space, table + delta, table) && leads(space, code + delta, code);
    }

    private static boolean leads(AddressSpace space, long virtual, long physical) {
        Optional<PhysicalAddress> found = space.translate(virtual).guestPhysical();
        return found.isPresent() && found.get().value() == physical;
    }

    /** Where the last piece ends that is mapped as the image is. */
    private static long mappedEnd(AddressSpace space, long start, long delta) {
        long[] end = {start};
        AddressRange range = new AddressRange(start, Math.min(start + LARGEST, WINDOW.last()));
        space.pieces(range, MOST_TABLES, (virtual, physical, size, pageSize, repeated) -> {
            if (virtual - delta == physical) {
                end[0] = virtual + size;
            }
        });
        return end[0];
    }

    private Optional<ImagePlace> place(long delta, Root root, long shift) {
        long start = start().orElseThrow() + shift;
        OptionalLong last = address("_end");
        long end = last.isPresent() ? last.getAsLong() + shift : mappedEnd(root.space, start, delta);
        if (Long.compareUnsigned(end, start) <= 0 || !WINDOW.contains(start) || !WINDOW.contains(end - 1)) {
            return Optional.empty();
        }
        String how = "kallsyms (" + kallsyms.form().title() + ") at guest-physical 0x"
                + Long.toHexString(kallsyms.place()) + ", mapped by " + root.from;
        return Optional.of(new ImagePlace(new AddressRange(start, end - 1), start - delta, shift, root.space, how));
    }
}

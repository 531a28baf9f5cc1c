package dev.guestcore.kernel;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryRegion;
import dev.guestcore.Progress;
import dev.guestcore.Vcpu;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.arch.Architectures;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.cpu.KernelRoot;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.facts.VmcoreInfoFields;
import dev.guestcore.facts.XenFacts;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The page tables that map a Linux kernel on x86-64: those that VMCOREINFO names, those of the vCPUs, and those that lie near
 * its banner, where nobody names any. What is found is held against what it must map, so that it is no guess.
 *
 * <p>Facts (documentation of Linux, arch/x86/x86_64/mm; arch/x86/mm/pti.c): virtual 0xffffffff80000000 shows guest-physical
 * {@code phys_base}; with page-table isolation the root of user mode lies 4 KiB behind the kernel's.
 */
final class KernelTables {

    /** Where the kernel's image is mapped, in at most 1 GiB. */
    static final AddressRange WINDOW = AddressRange.ofSize(0xffff_ffff_8000_0000L, 1L << 30);

    /** Set in the root of user mode, clear in the kernel's. */
    static final long ISOLATION_BIT = 0x1000;

    /** How many tables of the window are read: enough to map it in 4 KiB pages. */
    static final long MOST_TABLES = 1 << 12;

    static final List<String> ROOTS = List.of("init_top_pgt", "swapper_pg_dir", "init_level4_pgt");
    private static final List<String> IN_IMAGE = List.of("_stext", "init_uts_ns", "init_top_pgt", "swapper_pg_dir");
    private static final int WIDTH = 52;
    private static final int PAGE = X86Architecture.PAGE_SIZE;
    private static final int CHUNK = 1 << 20;

    /** The kernel's first table lies in its image, and no image is so large. */
    private static final long NEAR = 128L << 20;

    /** Entries of a root: the upper half is the kernel's; its image hangs on the last one, all memory on one of these. */
    private static final int UPPER_HALF = 256;

    private static final int ENTRIES = 512;
    private static final int LAST_BUT_IMAGE = 500;
    private static final int MOST_CANDIDATES = 256;
    private static final ValueLayout.OfLong LITTLE_LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private KernelTables() {}

    /**
     * Page tables of the kernel's own.
     *
     * @param from who names them, for people
     * @param confirmed whether they map the kernel where it says to be
     * @param root where the kernel's table lies
     */
    record Own(AddressSpace space, String from, boolean confirmed, PhysicalAddress root) {

        Own(AddressSpace space, String from, boolean confirmed) {
            this(space, from, confirmed, space.root());
        }
    }

    /** Whether addresses of this guest can be looked up here: x86, and no Xen PV guest, whose tables hold machine frames. */
    static boolean apply(Guest guest) {
        return guest.architecture().mayBe(Architectures.X86) && !hasMachineFrames(guest);
    }

    /** Whether page tables of this guest hold machine frames: a Xen PV guest. */
    static boolean hasMachineFrames(Guest guest) {
        return guest.machineMemory().isPresent()
                || guest.facts(XenFacts.class).map(XenFacts::paravirtualized).orElse(false);
    }

    /** The tables that VMCOREINFO names, if it does; with the number of levels that it says, or that works. */
    static Optional<Own> named(Guest guest, VmcoreInfoFields fields) {
        Optional<Own> other =
                roots(guest, fields).map(root -> own(guest, root)).max(Comparator.comparing(Own::confirmed));
        return other.filter(Own::confirmed).or(() -> namedOnX86(guest, fields)).or(() -> other);
    }

    /** What families other than x86 may have. */
    private static Stream<KernelRoot> roots(Guest guest, VmcoreInfoFields fields) {
        return hasMachineFrames(guest)
                ? Stream.empty()
                : Architectures.all().stream()
                        .filter(guest.architecture()::mayBe)
                        .flatMap(family -> family.kernelRoots(fields).stream());
    }

    private static boolean leads(AddressSpace space, KernelRoot root) {
        return !root.places().isEmpty()
                && root.places().stream().allMatch(place -> guestPhysical(space, place.virtual())
                        .equals(Optional.of(place.physical())));
    }

    /** Tables that the architecture finds named, held against where they must lead. */
    private static Own own(Guest guest, KernelRoot root) {
        AddressSpace space = AddressSpace.of(guest.memory(), root.paging());
        return new Own(space, root.from(), leads(space, root), space.rootOf(root.kernel()).orElseGet(space::root));
    }

    private static Optional<Own> namedOnX86(Guest guest, VmcoreInfoFields fields) {
        OptionalLong base = fields.physicalBase();
        if (!apply(guest) || base.isEmpty()) {
            return Optional.empty();
        }
        for (String name : ROOTS) {
            OptionalLong symbol = fields.symbol(name);
            if (symbol.isPresent() && WINDOW.contains(symbol.getAsLong())) {
                long root = physical(symbol.getAsLong(), base.getAsLong());
                String from = "SYMBOL(" + name + ") and phys_base of VMCOREINFO";
                List<X86PagingMode> modes = fields.fiveLevels()
                        .map(five -> List.of(five ? X86PagingMode.FIVE_LEVEL : X86PagingMode.FOUR_LEVEL))
                        .orElse(List.of(X86PagingMode.FOUR_LEVEL, X86PagingMode.FIVE_LEVEL));
                for (X86PagingMode mode : modes) {
                    AddressSpace space = space(guest, mode, root, fields.encryptionMask(), from);
                    if (maps(space, fields)) {
                        return Optional.of(new Own(space, from, true));
                    }
                }
                return Optional.of(
                        new Own(space(guest, modes.getFirst(), root, fields.encryptionMask(), from), from, false));
            }
        }
        return Optional.empty();
    }

    private static long physical(long symbol, long base) {
        return symbol - WINDOW.first() + base;
    }

    private static AddressSpace space(Guest guest, X86PagingMode mode, long root, long mask, String from) {
        return AddressSpace.of(guest.memory(), new X86Paging(mode, root, true, true, false, mask, WIDTH, from));
    }

    /** Whether these tables show the kernel's image where VMCOREINFO says that it lies. */
    private static boolean maps(AddressSpace space, VmcoreInfoFields fields) {
        OptionalLong base = fields.physicalBase();
        if (base.isEmpty()) {
            return mapsInOnePiece(space, fields);
        }
        for (String name : IN_IMAGE) {
            OptionalLong symbol = fields.symbol(name);
            if (symbol.isPresent() && WINDOW.contains(symbol.getAsLong())) {
                return guestPhysical(space, symbol.getAsLong())
                        .equals(Optional.of(physical(symbol.getAsLong(), base.getAsLong())));
            }
        }
        return false;
    }

    /** Kernels before 4.10 do not say phys_base; then all that can be asked is whether it could be one. */
    private static boolean mapsInOnePiece(AddressSpace space, VmcoreInfoFields fields) {
        List<Long> bases = new ArrayList<>();
        for (String name : IN_IMAGE) {
            OptionalLong symbol = fields.symbol(name);
            if (symbol.isPresent() && WINDOW.contains(symbol.getAsLong())) {
                Optional<Long> place = guestPhysical(space, symbol.getAsLong());
                if (place.isEmpty()) {
                    return false;
                }
                bases.add(place.get() - symbol.getAsLong());
            }
        }
        return bases.size() > 1 && bases.stream().distinct().count() == 1;
    }

    private static Optional<Long> guestPhysical(AddressSpace space, long virtual) {
        return space.translate(virtual).guestPhysical().map(PhysicalAddress::value);
    }

    /** The vCPU whose page tables map the kernel where this VMCOREINFO says that it lies. */
    static Optional<Vcpu> vcpuThatMaps(Guest guest, VmcoreInfoFields fields) {
        List<KernelRoot> roots = roots(guest, fields).toList();
        for (Vcpu vcpu : guest.vcpus()) {
            if (roots.stream().anyMatch(root -> leads(guest, vcpu, root))) {
                return Optional.of(vcpu);
            }
        }
        if (!guest.architecture().mayBe(Architectures.X86)) {
            return Optional.empty();
        }
        for (Vcpu vcpu : guest.vcpus()) {
            for (AddressSpace space : kernelSides(guest, vcpu, fields.encryptionMask())) {
                if (maps(space, fields)) {
                    return Optional.of(vcpu);
                }
            }
        }
        return Optional.empty();
    }

    private static boolean leads(Guest guest, Vcpu vcpu, KernelRoot root) {
        try {
            return leads(AddressSpace.of(guest, vcpu), root);
        } catch (GuestcoreException e) {
            // Its registers do not say how it translates.
            return false;
        }
    }

    /** What a vCPU's registers lead to, and with page-table isolation the kernel's table beside it; empty if nowhere. */
    private static List<AddressSpace> kernelSides(Guest guest, Vcpu vcpu, long encryptionMask) {
        AddressSpace space;
        try {
            space = AddressSpace.of(guest, vcpu, masked(TranslationOptions.defaults(), encryptionMask));
        } catch (GuestcoreException e) {
            // Without its registers this vCPU tells nothing; another one may.
            return List.of();
        }
        if (space.paging().mode().addressBits() != Long.SIZE) {
            return List.of();
        }
        return (space.root().value() & ISOLATION_BIT) == 0
                ? List.of(space)
                : List.of(space, space.withRoot(space.root().value() ^ ISOLATION_BIT));
    }

    /** The same options with the encryption bit of {@code mask}, unless they state one. */
    static TranslationOptions masked(TranslationOptions options, long mask) {
        return mask == 0 || options.encryptionMask() != 0
                ? options
                : options.withEncryptionBit(Long.numberOfTrailingZeros(mask));
    }

    /**
     * Tries every page near a banner as the root: the right one shows the banner's page in the kernel's window. Of several,
     * as every process has one, the kernel's own maps nothing else.
     *
     * @param banner guest-physical address of the banner in the kernel's image
     */
    static Optional<Own> near(Guest guest, long banner, Progress progress) {
        if (!apply(guest)) {
            return Optional.empty();
        }
        long first = Long.compareUnsigned(banner, NEAR) > 0 ? (banner - NEAR) & -PAGE : 0;
        long last = banner + NEAR;
        AddressRange range = new AddressRange(first, Long.compareUnsigned(last, first) > 0 ? last : -1L);
        long top = highest(guest.memory());
        List<Candidate> candidates = new ArrayList<>();
        for (MemoryRegion region : guest.memory().regions()) {
            if (region.hasContent()) {
                region.range()
                        .intersection(range)
                        .ifPresent(part -> collect(guest.memory(), part, top, candidates, progress));
            }
        }
        candidates.sort(Candidate.BEST_FIRST);
        String from = "found near the banner, which it maps";
        for (Candidate candidate : candidates) {
            for (X86PagingMode mode : List.of(X86PagingMode.FOUR_LEVEL, X86PagingMode.FIVE_LEVEL)) {
                AddressSpace space = space(guest, mode, candidate.root, candidate.mask, from);
                if (showsInWindow(space, banner)) {
                    return Optional.of(new Own(space, from, true));
                }
            }
        }
        return Optional.empty();
    }

    /** A page that may be a root. */
    private record Candidate(long root, long mask, int kernelEntries, int userEntries) {
        static final Comparator<Candidate> BEST_FIRST = Comparator.comparingInt(Candidate::userEntries)
                .thenComparing(Comparator.comparingInt(Candidate::kernelEntries).reversed());
    }

    private static long highest(GuestMemory memory) {
        return memory.regions().stream()
                .filter(MemoryRegion::hasContent)
                .map(region -> region.range().last())
                .max(Long::compareUnsigned)
                .orElse(0L);
    }

    private static void collect(
            GuestMemory memory, AddressRange part, long top, List<Candidate> candidates, Progress progress) {
        MemorySegment chunk = Arena.ofAuto().allocate(CHUNK, PAGE);
        long at = part.first() + (-part.first() & PAGE - 1);
        while (part.contains(at) && candidates.size() < MOST_CANDIDATES) {
            long left = part.last() - at;
            long wanted = Long.compareUnsigned(left, CHUNK) < 0 ? left + 1 : CHUNK;
            long read = memory.readAvailable(at, chunk.asSlice(0, wanted));
            for (long page = 0; page + PAGE <= read; page += PAGE) {
                Candidate candidate = candidate(chunk, page, at + page, top);
                if (candidate != null && candidates.size() < MOST_CANDIDATES) {
                    candidates.add(candidate);
                }
            }
            long step = Math.max(read & -PAGE, PAGE);
            progress.advance(step);
            if (Long.compareUnsigned(left, step) < 0) {
                return;
            }
            at += step;
        }
    }

    private static @Nullable Candidate candidate(MemorySegment bytes, long page, long address, long top) {
        long last = bytes.get(LITTLE_LONG, page + (ENTRIES - 1) * Long.BYTES);
        if (!isTable(last)) {
            return null;
        }
        int kernel = 0;
        int user = 0;
        boolean mapsMemory = false;
        for (int i = 0; i < ENTRIES; i++) {
            long entry = bytes.get(LITTLE_LONG, page + (long) i * Long.BYTES);
            if (entry == 0) {
                continue;
            }
            if (!isTable(entry)) {
                return null;
            }
            kernel += i >= UPPER_HALF ? 1 : 0;
            user += i < UPPER_HALF ? 1 : 0;
            mapsMemory |= i >= UPPER_HALF && i < LAST_BUT_IMAGE;
        }
        long place = last & 0x000f_ffff_ffff_f000L;
        long high = Long.highestOneBit(place);
        boolean beyond = Long.compareUnsigned(place, top) > 0;
        return mapsMemory && (!beyond || Long.compareUnsigned(place ^ high, top) <= 0)
                ? new Candidate(address, beyond ? high : 0, kernel, user)
                : null;
    }

    /** An entry of a root: present, no page, nothing reserved. */
    private static boolean isTable(long entry) {
        return (entry & 0x81) == 1 && (entry & 0x000f_ffff_ffff_f000L) != 0;
    }

    private static boolean showsInWindow(AddressSpace space, long physical) {
        boolean[] shown = {false};
        try {
            space.pieces(WINDOW, MOST_TABLES, (virtual, from, size, pageSize, repeated) -> shown[0] |=
                    Long.compareUnsigned(physical - from, size) < 0);
        } catch (GuestcoreException e) {
            return false;
        }
        return shown[0];
    }
}

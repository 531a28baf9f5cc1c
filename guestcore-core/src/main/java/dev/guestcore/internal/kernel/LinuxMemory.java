package dev.guestcore.internal.kernel;

import dev.guestcore.AddressRange;
import dev.guestcore.GuestMemory;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.address.Mapping;
import dev.guestcore.address.PhysicalAddress;
import dev.guestcore.address.VirtualMemory;
import dev.guestcore.arch.x86.X86Architecture;
import dev.guestcore.arch.x86.X86Paging;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.cpu.Paging;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.facts.VmcoreInfoFields;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * Memory as the Linux kernel of an x86-64 guest sees it: by the kernel's own page tables, which VMCOREINFO names, so that no
 * vCPU is needed. Where memory does not bear out what VMCOREINFO says, nothing is known. Not for Xen PV guests.
 *
 * <p>Sources: Linux, {@code arch/x86/include/asm/page_64_types.h} and {@code pgtable_64_types.h}, {@code mm/sparse.c},
 * {@code include/linux/mmzone.h}, {@code Documentation/arch/x86/x86_64/mm.rst}.
 */
public final class LinuxMemory {

    private static final int PAGE = X86Architecture.PAGE_SIZE;

    /** {@code __START_KERNEL_map}. */
    private static final long IMAGE = 0xffffffff80000000L;

    /** Where the direct map begins at the earliest, of kernels since 2.6.25 with four and with five levels. */
    private static final long LOWEST_DIRECT_MAP = 0xffff880000000000L;

    private static final long LOWEST_DIRECT_MAP_FIVE_LEVEL = 0xff10000000000000L;

    /** KASLR moves the direct map by multiples of this. */
    private static final long DIRECT_MAP_ALIGNMENT = 1L << 30;

    /** The first mapping is behind few tables; a broken root must not cost more. */
    private static final long MOST_TABLES = 4096;

    /** {@code SECTION_HAS_MEM_MAP}: the kernel has page structures for the section. */
    private static final long HAS_MEM_MAP = 2;

    /** All flags that any kernel has in {@code section_mem_map}. */
    private static final long SECTION_FLAGS = 0xff;

    private static final long MOST_ROOTS = 1L << 20;

    private final VmcoreInfoFields fields;
    private final AddressSpace space;
    private final VirtualMemory memory;

    private LinuxMemory(VmcoreInfoFields fields, AddressSpace space) {
        this.fields = fields;
        this.space = space;
        this.memory = space.memory();
    }

    /**
     * The memory of a kernel that says this of itself; empty if its page tables do not lead to its own image.
     *
     * @param memory guest-physical
     */
    public static Optional<LinuxMemory> of(GuestMemory memory, byte[] vmcoreInfo) {
        VmcoreInfoFields fields = new VmcoreInfoFacts(vmcoreInfo).fields();
        OptionalLong base = fields.physicalBase();
        OptionalLong root = Stream.of("swapper_pg_dir", "init_top_pgt", "init_level4_pgt")
                .map(fields::symbol)
                .flatMapToLong(OptionalLong::stream)
                .findFirst();
        if (base.isEmpty() || root.isEmpty() || Long.compareUnsigned(root.getAsLong(), IMAGE) < 0) {
            return Optional.empty();
        }
        long physicalRoot = root.getAsLong() - IMAGE + base.getAsLong();
        X86PagingMode mode = fields.number("pgtable_l5_enabled").orElse(0) == 1 ? X86PagingMode.FIVE_LEVEL
                : X86PagingMode.FOUR_LEVEL;
        long mask = fields.number("sme_mask").orElse(0);
        Paging paging = new X86Paging(
                mode, physicalRoot, true, true, false, mask, TranslationOptions.defaults().physicalBits(),
                "VMCOREINFO");
        LinuxMemory linux = new LinuxMemory(fields, AddressSpace.of(memory, paging));
        return linux.leads(root.getAsLong(), physicalRoot) ? Optional.of(linux) : Optional.empty();
    }

    private boolean leads(long virtual, long physical) {
        return space.translate(virtual)
                .physical()
                .map(PhysicalAddress::value)
                .filter(value -> value == physical)
                .isPresent();
    }

    /** Virtual address of guest-physical 0 in the kernel's map of all memory ({@code PAGE_OFFSET}). */
    public OptionalLong directMap() {
        long from =
                space.paging().mode() == X86PagingMode.FIVE_LEVEL ? LOWEST_DIRECT_MAP_FIVE_LEVEL : LOWEST_DIRECT_MAP;
        List<Mapping> firsts = new ArrayList<>();
        try {
            space.mappings(new AddressRange(from, IMAGE - 1), MOST_TABLES, mapping -> {
                firsts.add(mapping);
                throw new EnoughException();
            });
        } catch (EnoughException e) {
            // That is how a walk is stopped.
        }
        if (firsts.isEmpty()) {
            return OptionalLong.empty();
        }
        long base = firsts.getFirst().range().first() - firsts.getFirst().physical().value();
        boolean sound = (base & DIRECT_MAP_ALIGNMENT - 1) == 0
                && leads(base + space.root().value(), space.root().value());
        return sound ? OptionalLong.of(base) : OptionalLong.empty();
    }

    private static final class EnoughException extends RuntimeException {

        private static final long serialVersionUID = 1;

        EnoughException() {
            super(null, null, false, false);
        }
    }

    /** Guest-physical address behind the last section of memory for which the kernel has page structures. */
    public OptionalLong endOfSections() {
        OptionalLong table = fields.symbol("mem_section");
        long size = length("SIZE(mem_section)");
        long mapOffset = length("OFFSET(mem_section.section_mem_map)");
        long roots = length("LENGTH(mem_section)");
        long bits = fields.number("SECTION_SIZE_BITS").orElse(27);
        boolean sensible = table.isPresent() && size >= Long.BYTES && size <= PAGE && mapOffset >= 0
                && mapOffset <= size - Long.BYTES && roots > 0 && roots <= MOST_ROOTS && bits >= 12 && bits < 48;
        if (!sensible) {
            return OptionalLong.empty();
        }
        // An array of pointers to pages of structures; since Linux 4.15 a pointer to that.
        OptionalLong first = word(table.getAsLong());
        OptionalLong behind =
                first.isEmpty() || first.getAsLong() == 0 ? OptionalLong.empty() : word(first.getAsLong());
        boolean isPointer = behind.isPresent() && (behind.getAsLong() & SECTION_FLAGS) == 0;
        long array = isPointer ? first.getAsLong() : table.getAsLong();
        byte[] pointers = new byte[(int) roots * Long.BYTES];
        if (memory.readAvailable(array, MemorySegment.ofArray(pointers)) < pointers.length) {
            return OptionalLong.empty();
        }
        ByteBuffer rootPointers = ByteBuffer.wrap(pointers).order(ByteOrder.LITTLE_ENDIAN);
        long perRoot = PAGE / size;
        for (long root = roots - 1; root >= 0; root--) {
            long address = rootPointers.getLong((int) root * Long.BYTES);
            if (address == 0) {
                continue;
            }
            byte[] page = new byte[(int) (perRoot * size)];
            if (address >>> 63 == 0 || memory.readAvailable(address, MemorySegment.ofArray(page)) < page.length) {
                return OptionalLong.empty();
            }
            ByteBuffer sections = ByteBuffer.wrap(page).order(ByteOrder.LITTLE_ENDIAN);
            for (long section = perRoot - 1; section >= 0; section--) {
                if ((sections.getLong((int) (section * size + mapOffset)) & HAS_MEM_MAP) != 0) {
                    return OptionalLong.of((root * perRoot + section + 1) << bits);
                }
            }
        }
        return OptionalLong.empty();
    }

    /** A number of VMCOREINFO that is neither SYMBOL nor NUMBER; -1 if it is not there. */
    private long length(String key) {
        return fields.value(key)
                .filter(text -> text.matches("[0-9]{1,9}"))
                .map(Long::parseLong)
                .orElse(-1L);
    }

    private OptionalLong word(long address) {
        byte[] bytes = new byte[Long.BYTES];
        return memory.readAvailable(address, MemorySegment.ofArray(bytes)) < bytes.length
                ? OptionalLong.empty()
                : OptionalLong.of(ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong());
    }
}

package dev.guestcore.linux.export;

import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.linux.KernelImage;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.PageKinds;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelMember;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * VMCOREINFO made from symbols, types and variables: the lines that the kernel itself would write, in its order, as far as memory
 * tells them. Sources: Linux, {@code kernel/vmcore_info.c} (before: {@code kernel/crash_core.c}), {@code kernel/printk/printk.c},
 * {@code arch/x86/kernel/vmcore_info_64.c}, {@code arch/x86/include/asm/sparsemem.h}, Documentation/admin-guide/kdump/vmcoreinfo.
 */
final class MadeVmcoreInfo {

    private static final int PAGE = 4096;

    /** Where an x86-64 kernel maps physical address {@code phys_base}. */
    private static final long IMAGE_MAP = 0xffffffff80000000L;

    /** SECTION_SIZE_BITS and MAX_PHYSMEM_BITS of x86-64. */
    private static final int SECTION_BITS = 27;

    private static final int PHYSICAL_BITS = 46;
    private static final int PHYSICAL_BITS_FIVE_LEVELS = 52;

    /** KERNEL_IMAGE_SIZE of a kernel that can be moved (RANDOMIZE_BASE). */
    private static final long MOVABLE_IMAGE_SIZE = 1L << 30;

    /** Of a text that only kernels before 5.10 have. */
    private static final String OLD_LOG = "log_first_idx";

    private final Linux linux;
    private final Optional<KernelTypes> types;
    private final StringBuilder text = new StringBuilder();

    private MadeVmcoreInfo(Linux linux) {
        this.linux = linux;
        this.types = linux.types();
    }

    /** The text. */
    static String of(Linux linux) {
        return new MadeVmcoreInfo(linux).make();
    }

    private String make() {
        KernelImage image = linux.image();
        if (!(image.space().paging().mode() instanceof X86PagingMode)) {
            throw new LinuxException(
                    "VMCOREINFO is made for kernels of x86-64 only, and the kernel's own is not in memory");
        }
        line("OSRELEASE", image.release().orElseThrow(() -> new LinuxException(
                "the kernel's release is not in the dump, without which no tool takes a VMCOREINFO")));
        image.buildId().ifPresent(id -> line("BUILD-ID", id));
        line("PAGESIZE", PAGE);
        symbols("init_uts_ns");
        offsets("uts_namespace", "name");
        onlineNodes();
        symbols("swapper_pg_dir");
        if (address("swapper_pg_dir").isEmpty()) {
            address("init_top_pgt").ifPresent(root -> hexadecimal("SYMBOL(swapper_pg_dir)", root));
        }
        symbols("_stext", "vmap_area_list");
        boolean hasAreaList = address("vmap_area_list").isPresent();
        if (!hasAreaList) {
            value("vmalloc_base").ifPresent(start -> line("NUMBER(VMALLOC_START)", "0x" + Long.toHexString(start)));
            value("vmemmap_base").ifPresent(start -> hexadecimal("SYMBOL(vmemmap)", start));
        }
        symbols("mem_map", "contig_page_data");
        sections();
        pages();
        zones(hasAreaList);
        log();
        length("free_area", "free_list");
        numbers();
        machine();
        return text.append(VmcoreInfoFacts.MADE).append('\n').toString();
    }

    /** A name for one of several sets of nodes. */
    private void onlineNodes() {
        OptionalLong place = constant("enum node_states", "N_ONLINE");
        Optional<KernelType> set = structure("nodemask_t");
        address("node_states")
                .ifPresent(sets -> place.ifPresent(index -> set.ifPresent(
                        type -> hexadecimal("SYMBOL(node_online_map)", sets + index * type.size()))));
    }

    private void sections() {
        Optional<KernelType> section = structure("mem_section");
        OptionalLong table = address("mem_section");
        if (section.isEmpty() || table.isEmpty()) {
            return;
        }
        hexadecimal("SYMBOL(mem_section)", PageKinds.sectionTable(linux, table.getAsLong()));
        int physicalBits = isFiveLevels() ? PHYSICAL_BITS_FIVE_LEVELS : PHYSICAL_BITS;
        long perRoot = PAGE / section.get().size();
        line("LENGTH(mem_section)", (1L << physicalBits - SECTION_BITS) / perRoot);
        sizes("mem_section");
        offsets("mem_section", "section_mem_map");
        line("NUMBER(SECTION_SIZE_BITS)", SECTION_BITS);
        line("NUMBER(MAX_PHYSMEM_BITS)", physicalBits);
    }

    private void pages() {
        sizes("page", "pglist_data", "zone", "free_area", "list_head", "nodemask_t");
        offsets("page", "flags", "_refcount", "mapping", "lru", "_mapcount", "private", "compound_dtor",
                "compound_order",
                "compound_head");
    }

    private void zones(boolean hasAreaList) {
        offsets("pglist_data", "node_zones", "nr_zones", "node_mem_map", "node_start_pfn", "node_spanned_pages",
                "node_id");
        offsets("zone", "free_area", "vm_stat", "spanned_pages");
        offsets("free_area", "free_list");
        offsets("list_head", "next", "prev");
        if (hasAreaList) {
            offsets("vmap_area", "va_start", "list");
        }
        length("zone", "free_area");
    }

    private void log() {
        if (address("prb").isEmpty()) {
            oldLog();
            return;
        }
        symbols("prb", "printk_rb_static", "clear_seq");
        sizes("printk_ringbuffer");
        offsets("printk_ringbuffer", "desc_ring", "text_data_ring", "fail");
        sizes("prb_desc_ring");
        offsets("prb_desc_ring", "count_bits", "descs", "infos", "head_id", "tail_id");
        sizes("prb_desc");
        offsets("prb_desc", "state_var", "text_blk_lpos");
        sizes("prb_data_blk_lpos");
        offsets("prb_data_blk_lpos", "begin", "next");
        sizes("printk_info");
        offsets("printk_info", "seq", "ts_nsec", "text_len", "caller_id", "dev_info");
        sizes("dev_printk_info");
        offsets("dev_printk_info", "subsystem");
        length("printk_info_subsystem", "dev_printk_info", "subsystem");
        offsets("dev_printk_info", "device");
        length("printk_info_device", "dev_printk_info", "device");
        sizes("prb_data_ring");
        offsets("prb_data_ring", "size_bits", "data", "head_lpos", "tail_lpos");
        sizes("atomic_long_t");
        offsets("atomic_long_t", "counter");
        sizes("latched_seq");
        offsets("latched_seq", "val");
    }

    /** Before 5.10. */
    private void oldLog() {
        if (address(OLD_LOG).isPresent()) {
            symbols("log_buf", "log_buf_len", OLD_LOG, "clear_idx", "log_next_idx");
            sizes("printk_log");
            offsets("printk_log", "ts_nsec", "len", "text_len", "dict_len", "caller_id");
        }
    }

    private void numbers() {
        constant("enum zone_stat_item", "NR_FREE_PAGES").ifPresent(number -> line("NUMBER(NR_FREE_PAGES)", number));
        for (String flag : new String[] {"PG_lru", "PG_private", "PG_swapcache", "PG_swapbacked"}) {
            flag(flag);
        }
        Optional<PageKinds> kinds = PageKinds.find(linux);
        OptionalInt slabs = kinds.map(PageKinds::slabMark).orElse(OptionalInt.empty());
        if (slabs.isPresent()) {
            line("NUMBER(PAGE_SLAB_MAPCOUNT_VALUE)", slabs.getAsInt());
        } else {
            flag("PG_slab");
        }
        flag("PG_hwpoison");
        constant("enum pageflags", "PG_head").ifPresent(bit -> line("NUMBER(PG_head_mask)", 1L << bit));
        kinds.ifPresent(this::mapCounts);
    }

    private void mapCounts(PageKinds kinds) {
        line("NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)", kinds.freeMark());
        constant("enum compound_dtor_id", "HUGETLB_PAGE_DTOR")
                .ifPresent(number -> line("NUMBER(HUGETLB_PAGE_DTOR)", number));
        kinds.hugeMark().ifPresent(value -> line("NUMBER(PAGE_HUGETLB_MAPCOUNT_VALUE)", value));
        line("NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)", kinds.offlineMark());
    }

    private void machine() {
        KernelImage image = linux.image();
        line("NUMBER(phys_base)", image.physicalBase() - (image.virtualBase() - IMAGE_MAP));
        symbols("init_top_pgt");
        line("NUMBER(pgtable_l5_enabled)", isFiveLevels() ? 1 : 0);
        symbols("node_data");
        // Smaller sets of nodes are rounded up to a word.
        if (address("node_data").isPresent()) {
            structure("nodemask_t").map(KernelType::size).filter(size -> size > Long.BYTES)
                    .ifPresent(size -> line("LENGTH(node_data)", size * Byte.SIZE));
        }
        hexadecimal("KERNELOFFSET", image.slide());
        if (image.slide() != 0 || address("kernel_randomize_memory").isPresent()) {
            line("NUMBER(KERNEL_IMAGE_SIZE)", MOVABLE_IMAGE_SIZE);
        }
        value("sme_me_mask").ifPresent(mask -> line("NUMBER(sme_mask)", mask));
    }

    private boolean isFiveLevels() {
        return linux.image().space().paging().mode() == X86PagingMode.FIVE_LEVEL;
    }

    private OptionalLong address(String name) {
        return linux.symbols().find(name).map(Symbol::address).map(OptionalLong::of).orElse(OptionalLong.empty());
    }

    private OptionalLong value(String variable) {
        return address(variable).stream().flatMap(at -> longAt(at).stream()).findFirst();
    }

    private OptionalLong longAt(long address) {
        try {
            return OptionalLong.of(linux.memory().readLong(address));
        } catch (MemoryAccessException e) {
            return OptionalLong.empty();
        }
    }

    private Optional<KernelType> structure(String name) {
        return types.flatMap(known -> known.find("struct " + name).or(() -> known.find(name)));
    }

    private OptionalLong constant(String enumeration, String name) {
        return types.flatMap(known -> known.find(enumeration))
                .map(type -> type.constant(name))
                .orElse(OptionalLong.empty());
    }

    private void symbols(String... names) {
        for (String name : names) {
            address(name).ifPresent(address -> hexadecimal("SYMBOL(" + name + ")", address));
        }
    }

    private void sizes(String... names) {
        for (String name : names) {
            structure(name).ifPresent(type -> line("SIZE(" + name + ")", type.size()));
        }
    }

    private void offsets(String type, String... members) {
        for (String member : members) {
            structure(type)
                    .flatMap(structure -> structure.member(member))
                    .ifPresent(found -> line("OFFSET(" + type + "." + member + ")", found.offset()));
        }
    }

    private void length(String type, String member) {
        length(type + "." + member, type, member);
    }

    private void length(String key, String type, String member) {
        structure(type)
                .flatMap(structure -> structure.member(member))
                .map(KernelMember::type)
                .filter(array -> array.kind() == KernelType.Kind.ARRAY)
                .ifPresent(array -> line("LENGTH(" + key + ")", array.count()));
    }

    private void flag(String name) {
        constant("enum pageflags", name).ifPresent(bit -> line("NUMBER(" + name + ")", bit));
    }

    private void hexadecimal(String key, long value) {
        line(key, Long.toHexString(value));
    }

    private void line(String key, long value) {
        line(key, Long.toString(value));
    }

    private void line(String key, String value) {
        text.append(key).append('=').append(value).append('\n');
    }
}

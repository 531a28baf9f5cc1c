package dev.guestcore.linux.export;

import dev.guestcore.GuestMemory;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.arch.x86.X86PagingMode;
import dev.guestcore.linux.KernelImage;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LinuxException;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelType;
import dev.guestcore.linux.types.KernelTypes;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * Writes what a kernel tells dump analysers about itself (VMCOREINFO): the kernel's own text if it is in memory,
 * otherwise one made from its symbols and types (documentation of Linux, admin-guide/kdump/vmcoreinfo). Not
 * thread-safe.
 */
public final class VmcoreInfoExport {

    /** A text that was made says so: tools pass over lines that they do not know. */
    private static final String MADE = "GUESTCORE=made from symbols and types in memory\n";

    private static final String BEGINNING = "OSRELEASE=";
    private static final int LONGEST = 1 << 16;
    private static final int PAGE = 4096;

    /** Where an x86-64 kernel maps physical address {@code phys_base}. */
    private static final long IMAGE_MAP = 0xffffffff80000000L;

    private static final List<String> SYMBOLS = List.of(
            "init_uts_ns",
            "node_online_map",
            "swapper_pg_dir",
            "_stext",
            "vmap_area_list",
            "mem_map",
            "contig_page_data",
            "mem_section",
            "prb",
            "log_buf",
            "log_buf_len",
            "log_first_idx",
            "log_next_idx",
            "clear_idx",
            "init_top_pgt",
            "node_data");

    private static final List<String> SIZES = List.of(
            "mem_section",
            "page",
            "pglist_data",
            "zone",
            "free_area",
            "list_head",
            "nodemask_t",
            "printk_ringbuffer",
            "prb_desc_ring",
            "prb_desc",
            "printk_info",
            "prb_data_ring");

    private static final List<String> MEMBERS = List.of(
            "mem_section.section_mem_map",
            "page.flags",
            "page._refcount",
            "page.mapping",
            "page.lru",
            "page._mapcount",
            "page.private",
            "page.compound_head",
            "pglist_data.node_zones",
            "pglist_data.nr_zones",
            "pglist_data.node_start_pfn",
            "pglist_data.node_spanned_pages",
            "pglist_data.node_id",
            "zone.free_area",
            "zone.vm_stat",
            "zone.spanned_pages",
            "free_area.free_list",
            "list_head.next",
            "list_head.prev",
            "vmap_area.va_start",
            "vmap_area.list",
            "printk_ringbuffer.desc_ring",
            "printk_ringbuffer.text_data_ring",
            "printk_ringbuffer.fail",
            "prb_desc_ring.count_bits",
            "prb_desc_ring.descs",
            "prb_desc_ring.infos",
            "prb_desc_ring.head_id",
            "prb_desc_ring.tail_id",
            "prb_desc.state_var",
            "prb_desc.text_blk_lpos",
            "prb_data_blk_lpos.begin",
            "prb_data_blk_lpos.next",
            "printk_info.seq",
            "printk_info.ts_nsec",
            "printk_info.text_len",
            "printk_info.caller_id",
            "printk_info.dev_info",
            "dev_printk_info.subsystem",
            "dev_printk_info.device",
            "prb_data_ring.size_bits",
            "prb_data_ring.data",
            "atomic_long_t.counter",
            "uts_namespace.name");

    private VmcoreInfoExport() {}

    /**
     * Writes the text.
     *
     * @param out where to; is not closed
     * @return whether it was made, because the kernel's own is not in memory
     * @throws IOException if {@code out} fails
     * @throws LinuxException if it is not there, and the kernel's release is not known either
     */
    public static boolean write(Linux linux, OutputStream out) throws IOException {
        Optional<String> own = own(linux);
        String text = own.orElseGet(() -> made(linux));
        out.write(text.getBytes(StandardCharsets.ISO_8859_1));
        return own.isEmpty();
    }

    /** The kernel's own text; empty if it is not in memory. */
    public static Optional<String> own(Linux linux) {
        Optional<Long> pointer = linux.symbols().find("vmcoreinfo_data").map(Symbol::address);
        Optional<Long> size = linux.symbols().find("vmcoreinfo_size").map(Symbol::address);
        if (pointer.isEmpty() || size.isEmpty()) {
            return Optional.empty();
        }
        try {
            GuestMemory memory = linux.memory();
            long bytes = memory.readLong(size.get());
            if (bytes < BEGINNING.length() || bytes > LONGEST) {
                return Optional.empty();
            }
            byte[] text = new byte[(int) bytes];
            memory.read(memory.readLong(pointer.get()), text);
            return Optional.of(new String(text, StandardCharsets.ISO_8859_1))
                    .filter(each -> each.startsWith(BEGINNING));
        } catch (MemoryAccessException e) {
            return Optional.empty();
        }
    }

    /** A text made from symbols and types. */
    static String made(Linux linux) {
        KernelImage image = linux.image();
        StringBuilder text = new StringBuilder();
        text.append(BEGINNING)
                .append(image.release()
                        .orElseThrow(() -> new LinuxException("the kernel's release is not in the dump, without which no"
                                + " tool takes a VMCOREINFO")))
                .append('\n');
        image.buildId().ifPresent(id -> line(text, "BUILD-ID", id));
        line(text, "PAGESIZE", Integer.toString(PAGE));
        for (String name : SYMBOLS) {
            linux.symbols()
                    .find(name)
                    .or(() -> linux.symbols().find(name.equals("swapper_pg_dir") ? "init_top_pgt" : name))
                    .ifPresent(symbol ->
                            line(text, "SYMBOL(" + name + ")", Long.toHexString(symbol.address())));
        }
        linux.types().ifPresent(types -> layouts(types, text));
        line(text, "NUMBER(phys_base)", Long.toString(image.physicalBase() - (image.virtualBase() - IMAGE_MAP)));
        boolean fiveLevels = image.space().paging().mode() == X86PagingMode.FIVE_LEVEL;
        line(text, "NUMBER(pgtable_l5_enabled)", fiveLevels ? "1" : "0");
        line(text, "KERNELOFFSET", Long.toHexString(image.slide()));
        return text.append(MADE).toString();
    }

    private static void layouts(KernelTypes types, StringBuilder text) {
        for (String name : SIZES) {
            structure(types, name)
                    .ifPresent(type -> line(text, "SIZE(" + name + ")", Long.toString(type.size())));
        }
        for (String path : MEMBERS) {
            int dot = path.indexOf('.');
            structure(types, path.substring(0, dot))
                    .flatMap(type -> type.member(path.substring(dot + 1)))
                    .ifPresent(member -> line(text, "OFFSET(" + path + ")", Long.toString(member.offset())));
        }
    }

    private static Optional<KernelType> structure(KernelTypes types, String name) {
        return types.find("struct " + name).or(() -> types.find(name));
    }

    private static void line(StringBuilder text, String key, String value) {
        text.append(key).append('=').append(value).append('\n');
    }
}

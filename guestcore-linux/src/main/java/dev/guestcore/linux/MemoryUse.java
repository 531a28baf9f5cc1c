package dev.guestcore.linux;

import dev.guestcore.error.GuestcoreException;
import dev.guestcore.linux.symbols.Symbol;
import dev.guestcore.linux.types.KernelConstant;
import dev.guestcore.linux.types.KernelType;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Where the memory of a guest went, by the counters of its kernel that {@code /proc/meminfo} shows, too: {@code vm_zone_stat}
 * and {@code vm_node_stat}, whose places the kernel's types name ({@code enum zone_stat_item}, {@code node_stat_item} of
 * include/linux/mmzone.h; several moved from one to the other). What a CPU has counted for itself lately is not in them.
 * Immutable.
 *
 * @param total bytes that the kernel manages; empty if it does not tell
 * @param bytes by what they are used for; what this kernel does not count is missing
 * @param pools of huge pages that are set aside (hugetlbfs); empty if there are none
 * @param problems what could not be read, for the user: one line each
 */
public record MemoryUse(OptionalLong total, Map<Kind, Long> bytes, List<HugePages> pools, List<String> problems) {

    private static final long PAGE = 4096;
    private static final int PAGE_SHIFT = 12;
    private static final long KIB = 1024;

    /** 4 PiB, more than x86-64 has addresses for. */
    private static final long MOST_PAGES = 1L << 40;

    /** MAX_NUMNODES of the largest configuration. */
    private static final int MOST_NODES = 1024;

    /** HUGE_MAX_HSTATE of all architectures. */
    private static final int MOST_POOLS = 16;

    private static final int LARGEST_ORDER = 18;

    /** What memory is used for. */
    public enum Kind {
        /** Not used. */
        FREE(null, PAGE, "NR_FREE_PAGES"),
        /** Not used either, but in the lists of single CPUs; {@code /proc/meminfo} leaves it out. */
        FREE_OF_CPUS(null, PAGE),
        /** Of processes, and of no file. */
        ANONYMOUS(null, PAGE, "NR_ANON_MAPPED"),
        /** Of that, in huge pages that the kernel chose; not told by kernels before 5.12, whose unit differs. */
        ANONYMOUS_HUGE(ANONYMOUS, PAGE, "NR_ANON_THPS"),
        /** Contents of files, of block devices, of tmpfs and of shared memory, and of swap that is in memory, too. */
        PAGE_CACHE(null, PAGE, "NR_FILE_PAGES"),
        /** Of that, tmpfs and shared memory. */
        SHARED(PAGE_CACHE, PAGE, "NR_SHMEM"),
        /** Of the page cache, what is to be written to disk. */
        DIRTY(PAGE_CACHE, PAGE, "NR_FILE_DIRTY"),
        /** Small objects of the kernel that it can do without, such as names of files. */
        SLAB_RECLAIMABLE(null, PAGE, "NR_SLAB_RECLAIMABLE_B", "NR_SLAB_RECLAIMABLE"),
        /** Small objects of the kernel. */
        SLAB_UNRECLAIMABLE(null, PAGE, "NR_SLAB_UNRECLAIMABLE_B", "NR_SLAB_UNRECLAIMABLE"),
        /** Page tables of processes. */
        PAGE_TABLES(null, PAGE, "NR_PAGETABLE"),
        /** Kernel stacks. */
        KERNEL_STACKS(null, KIB, "NR_KERNEL_STACK_KB");

        private final Optional<Kind> whole;
        private final long unit;
        private final List<String> names;

        Kind(@Nullable Kind whole, long unit, String... names) {
            this.whole = Optional.ofNullable(whole);
            this.unit = unit;
            this.names = List.of(names);
        }

        /** The kind that this is a part of. */
        public Optional<Kind> whole() {
            return whole;
        }
    }

    /**
     * A pool of huge pages.
     *
     * @param pageSize bytes of a page
     * @param pages how many there are
     * @param free how many of these nobody uses
     */
    public record HugePages(long pageSize, long pages, long free) {}

    /** Copies the collections. */
    public MemoryUse {
        Objects.requireNonNull(total);
        Map<Kind, Long> ordered = new EnumMap<>(Kind.class);
        ordered.putAll(bytes);
        bytes = Collections.unmodifiableMap(ordered);
        pools = List.copyOf(pools);
        problems = List.copyOf(problems);
    }

    /**
     * How the memory of a kernel is used.
     *
     * @throws LinuxException if the kernel has no description of its types
     */
    static MemoryUse of(Linux linux) {
        linux.requireTypes();
        return new Reader(linux).read();
    }

    /**
     * What nothing else accounts for: the kernel's own allocations, those of drivers, what a balloon gave to the host.
     *
     * @return empty if the total or one of the larger kinds is not known
     */
    public OptionalLong other() {
        boolean known = total.isPresent()
                && bytes.containsKey(Kind.FREE)
                && bytes.containsKey(Kind.ANONYMOUS)
                && bytes.containsKey(Kind.PAGE_CACHE);
        long counted = 0;
        for (Map.Entry<Kind, Long> each : bytes.entrySet()) {
            counted += each.getKey().whole().isEmpty() ? each.getValue() : 0;
        }
        for (HugePages pool : pools) {
            counted += pool.pageSize * pool.pages;
        }
        return known && counted <= total.getAsLong() ? OptionalLong.of(total.getAsLong() - counted)
                : OptionalLong.empty();
    }

    private static final class Reader {

        private final Linux linux;
        private final Map<Kind, Long> bytes = new EnumMap<>(Kind.class);
        private final List<String> problems = new ArrayList<>();

        Reader(Linux linux) {
            this.linux = linux;
        }

        MemoryUse read() {
            OptionalLong total = total();
            for (Kind kind : Kind.values()) {
                if (kind != Kind.ANONYMOUS_HUGE || counter("NR_SWAPCACHE").isPresent()) {
                    count(kind, total);
                }
            }
            countFreeOfCpus(total);
            return new MemoryUse(total, bytes, pools(), problems);
        }

        /** In {@code struct zone}: {@code per_cpu_pageset} since 5.14, {@code pageset} before. */
        private void countFreeOfCpus(OptionalLong total) {
            try {
                List<KernelObject> zones = zones();
                long pages = 0;
                for (KernelObject zone : zones) {
                    boolean renamed = zone.has("per_cpu_pageset");
                    KernelObject lists = zone.get(renamed ? "per_cpu_pageset" : "pageset");
                    for (int cpu : lists.isNull() ? List.<Integer>of() : Cpus.of(linux).possible()) {
                        pages += Math.max(0, lists.dereferencePerCpu(cpu).getInt(renamed ? "count" : "pcp.count"));
                    }
                }
                if (pages * PAGE > total.orElse(Long.MAX_VALUE)) {
                    problems.add("the lists of free pages of CPUs: " + pages + " pages are more than there are");
                } else if (!zones.isEmpty()) {
                    bytes.put(Kind.FREE_OF_CPUS, pages * PAGE);
                }
            } catch (GuestcoreException e) {
                problems.add("the lists of free pages of CPUs: " + e.getMessage());
            }
        }

        /** The zones that have pages, of all nodes. */
        private List<KernelObject> zones() {
            List<KernelObject> zones = new ArrayList<>();
            Optional<KernelObject> nodes = linux.findVariable("node_data");
            Optional<Symbol> count = linux.symbols().find("nr_node_ids");
            Optional<Symbol> only = linux.symbols().find("contig_page_data");
            if (nodes.isPresent() && count.isPresent()) {
                int known = Math.clamp(linux.memory().readInt(count.get().address()), 0, MOST_NODES);
                for (int i = 0; i < known; i++) {
                    nodes.get().index(i).target().ifPresent(node -> addZones(node, zones));
                }
            } else if (only.isPresent()) {
                addZones(linux.object("struct pglist_data", only.get().address()), zones);
            }
            return zones;
        }

        private static void addZones(KernelObject node, List<KernelObject> zones) {
            node.get("node_zones").elements().stream()
                    .filter(zone -> zone.getLong("present_pages") != 0)
                    .forEach(zones::add);
        }

        private OptionalLong total() {
            try {
                Optional<KernelObject> pages = linux.findVariable("_totalram_pages");
                if (pages.isEmpty()) {
                    return OptionalLong.empty();
                }
                long count = pages.get().getLong("counter");
                if (count > 0 && count < MOST_PAGES) {
                    return OptionalLong.of(count * PAGE);
                }
                problems.add("the total: " + count + " pages cannot be");
            } catch (GuestcoreException e) {
                problems.add("the total: " + e.getMessage());
            }
            return OptionalLong.empty();
        }

        private void count(Kind kind, OptionalLong total) {
            try {
                for (String name : kind.names) {
                    Optional<KernelObject> counter = counter(name);
                    if (counter.isPresent()) {
                        // CPUs count for themselves first, so that the sum may be less than nothing for a while.
                        long count = Math.max(0, counter.get().getLong("counter"));
                        if (count < MOST_PAGES && count * kind.unit <= total.orElse(Long.MAX_VALUE)) {
                            bytes.put(kind, count * kind.unit);
                        } else {
                            problems.add(name + ": " + count + " is more than there is; memory is torn or damaged");
                        }
                        return;
                    }
                }
            } catch (GuestcoreException e) {
                problems.add(kind + ": " + e.getMessage());
            }
        }

        private Optional<KernelObject> counter(String name) {
            return counter("vm_node_stat", "enum node_stat_item", name)
                    .or(() -> counter("vm_zone_stat", "enum zone_stat_item", name));
        }

        private Optional<KernelObject> counter(String variable, String type, String name) {
            Optional<Long> index = linux.requireTypes().find(type).map(KernelType::constants).stream()
                    .flatMap(List::stream)
                    .filter(constant -> constant.name().equals(name))
                    .map(KernelConstant::value)
                    .findFirst();
            return index.flatMap(place -> linux.findVariable(variable).map(counters -> counters.index(place)));
        }

        private List<HugePages> pools() {
            List<HugePages> pools = new ArrayList<>();
            try {
                Optional<KernelObject> states = linux.findVariable("hstates");
                Optional<KernelObject> count = linux.findVariable("hugetlb_max_hstate");
                if (states.isEmpty() || count.isEmpty()) {
                    return pools;
                }
                for (int i = 0; i < Math.clamp(count.get().asLong(), 0, MOST_POOLS); i++) {
                    KernelObject state = states.get().index(i);
                    long order = state.getLong("order");
                    long pages = state.getLong("nr_huge_pages");
                    long free = state.getLong("free_huge_pages");
                    if (order < 0 || order > LARGEST_ORDER || pages < 0 || pages > MOST_PAGES >> order
                            || free > pages) {
                        problems.add("huge pages: " + pages + " of 2^" + order + " pages cannot be");
                    } else if (pages > 0) {
                        pools.add(new HugePages(1L << order + PAGE_SHIFT, pages, Math.max(0, free)));
                    }
                }
            } catch (GuestcoreException e) {
                problems.add("huge pages: " + e.getMessage());
            }
            return pools;
        }
    }
}

package dev.guestcore.linux.symbols;

import dev.guestcore.GuestMemory;
import java.lang.foreign.Arena;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The symbols that a kernel exports to its modules, from a copy of its image: code and data, also where kallsyms has code only or is
 * missing. Each entry holds the distances from its own place to what it names and to its name, and since 5.4 to a namespace
 * (struct kernel_symbol in include/linux/export.h of Linux).
 */
public final class ExportedSymbols {

    /** Any kernel exports these. */
    private static final List<String> WITNESSES = List.of("jiffies", "kfree", "init_task", "memcpy");

    private static final int MOST = 1 << 17;
    private static final int MOST_PLACES = 4096;
    private static final int LONGEST_NAME = 256;
    private static final int LEAST_IN_A_ROW = 16;
    private static final int[] ENTRY_BYTES = {12, 8};
    private static final int NAME = Integer.BYTES;

    private final PhysicalWindow window;
    private final long end;
    private final Set<Long> words = new HashSet<>();
    private final Set<String> ambiguous = new HashSet<>();
    private final Map<String, Long> found = new HashMap<>();

    private ExportedSymbols(PhysicalWindow window, long end) {
        this.window = window;
        this.end = end;
    }

    /**
     * Finds them.
     *
     * @param memory physical memory
     * @param first where the image begins, as a guest-physical address
     * @param size bytes of it, at most 1 GiB
     * @return guest-physical addresses by name, of names with one address only; empty if the image has no such tables, or ones of another form
     */
    public static Map<String, Long> find(GuestMemory memory, long first, long size) {
        try (Arena arena = Arena.ofConfined()) {
            PhysicalWindow window = PhysicalWindow.read(memory, first, size, arena);
            ExportedSymbols search = new ExportedSymbols(window, first + size);
            search.run();
            search.found.keySet().removeAll(search.ambiguous);
            return Map.copyOf(search.found);
        }
    }

    private void run() {
        for (String witness : WITNESSES) {
            long[] places = places(witness);
            List<Long> pointers = places.length == 0 ? List.of() : pointersTo(places);
            for (long word : pointers) {
                if (!words.contains(word)) {
                    extend(word);
                }
            }
            if (!found.isEmpty()) {
                return;
            }
        }
    }

    /** Where a name ends with a zero; strings share their ends, so nothing need stand before it. */
    private long[] places(String name) {
        byte[] bytes = (name + '\0').getBytes(StandardCharsets.US_ASCII);
        List<Long> places = new ArrayList<>();
        for (long at = window.first(); at + bytes.length <= end && places.size() < MOST_PLACES; at++) {
            int i = 0;
            while (i < bytes.length && window.byteAt(at + i) == bytes[i]) {
                i++;
            }
            if (i == bytes.length) {
                places.add(at);
            }
        }
        return places.stream().mapToLong(Long::longValue).toArray();
    }

    private List<Long> pointersTo(long[] places) {
        List<Long> pointers = new ArrayList<>();
        for (long at = window.first(); at + Integer.BYTES <= end && pointers.size() < MOST_PLACES;
                at += Integer.BYTES) {
            long target = at + window.intAt(at);
            if (target >= places[0]
                    && target <= places[places.length - 1]
                    && Arrays.binarySearch(places, target) >= 0) {
                pointers.add(at);
            }
        }
        return pointers;
    }

    /** Takes the entries before and behind one whose word for the name is known, if there are enough in a row. */
    private void extend(long word) {
        for (int size : ENTRY_BYTES) {
            long from = word;
            while (isEntry(from - size) && (word - from) / size < MOST) {
                from -= size;
            }
            long to = word;
            while (isEntry(to + size) && (to - word) / size < MOST) {
                to += size;
            }
            if ((to - from) / size + 1 >= LEAST_IN_A_ROW) {
                for (long at = from; at <= to && found.size() < MOST; at += size) {
                    String name = nameAt(at + window.intAt(at));
                    words.add(at);
                    add(name, at - NAME + window.intAt(at - NAME));
                }
                return;
            }
        }
    }

    /** Code that KVM runs in another address space may be exported under a name that the kernel has as well: neither counts. */
    private void add(String name, long address) {
        Long before = found.putIfAbsent(name, address);
        if (before != null && before != address) {
            ambiguous.add(name);
        }
    }

    private boolean isEntry(long word) {
        if (!window.contains(word - NAME, 2 * NAME)) {
            return false;
        }
        long value = word - NAME + window.intAt(word - NAME);
        return window.contains(value, 1) && !nameAt(word + window.intAt(word)).isEmpty();
    }

    /** The identifier at an address; empty if there is none. */
    private String nameAt(long address) {
        StringBuilder name = new StringBuilder();
        while (window.contains(address + name.length(), 1) && name.length() <= LONGEST_NAME) {
            int character = window.byteAt(address + name.length());
            if (character == 0) {
                return name.toString();
            }
            if (!Character.isJavaIdentifierPart(character) || character >= 0x80 || character < '$') {
                return "";
            }
            name.append((char) character);
        }
        return "";
    }
}

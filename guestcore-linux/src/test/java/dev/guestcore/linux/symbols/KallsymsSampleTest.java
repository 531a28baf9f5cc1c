package dev.guestcore.linux.symbols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.open.Guests;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.testing.Samples;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The tables in the memory of a real guest, by physical address, against its own /proc/kallsyms. */
@Tag("slow")
@Tag("foreign")
class KallsymsSampleTest {

    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);
    private static final long RAM = 0x4000_0000;

    /** Where the image begins, and where _stext is, as the header of the image says. */
    private static final long IMAGE = RAM + 0x20_0000;

    private static final long TEXT = RAM + 0x21_0000;
    private static final long IMAGE_BYTES = 32 << 20;

    @Test
    void symbolsOfTheKernelEqualThoseOfTheGuest() {
        List<String> truth = new String(Samples.truth(Samples.LINUX_ARM64, "gt/kallsyms"), StandardCharsets.US_ASCII)
                .lines()
                .filter(line -> !line.contains("["))
                .toList();
        List<Kallsyms> found = new ArrayList<>();
        Map<String, Long> exported;
        String location = "raw:" + Samples.core(Samples.LINUX_ARM64) + "@0x40000000";
        try (Guest guest = Guests.source(location).freeze()) {
            MemorySearch.of(SearchPattern.bytes(Kallsyms.searched()))
                    .physical(
                            guest.memory(),
                            hit -> Kallsyms.around(guest.memory(), hit.address()).ifPresent(found::add),
                            Progress.none());
            exported = ExportedSymbols.find(guest.memory(), IMAGE, IMAGE_BYTES);
        }
        assertEquals(1, found.size());
        assertEquals(AddressForm.BASE_RELATIVE, found.getFirst().form());
        assertFalse(found.getFirst().isPhysical());
        KernelSymbols symbols = found.getFirst().symbols(0, EVERYTHING);
        assertEquals(truth, lines(symbols));
        long delta = symbols.find("_stext").orElseThrow().address() - TEXT;
        compare(exported, symbols, delta);
    }

    /** The kernel exports data too; what it exports of code lies where the other table says. */
    private static void compare(Map<String, Long> exported, KernelSymbols symbols, long delta) {
        int both = 0;
        for (Map.Entry<String, Long> export : exported.entrySet()) {
            List<Symbol> named = symbols.findAll(export.getKey());
            long address = export.getValue() + delta;
            assertTrue(named.isEmpty() || named.stream().anyMatch(symbol -> symbol.address() == address),
                    export::toString);
            both += named.isEmpty() ? 0 : 1;
        }
        assertTrue(both > 5000, both + " functions of " + exported.size());
        assertTrue(exported.keySet().containsAll(List.of("init_task", "jiffies", "tcp_hashinfo", "__per_cpu_offset")));
    }

    private static List<String> lines(KernelSymbols symbols) {
        return symbols.stream()
                .map(symbol -> "%016x %c %s".formatted(symbol.address(), symbol.type(), symbol.name()))
                .toList();
    }
}

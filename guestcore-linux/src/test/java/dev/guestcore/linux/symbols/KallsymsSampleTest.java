package dev.guestcore.linux.symbols;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.inspect.MemorySearch;
import dev.guestcore.inspect.SearchPattern;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The tables in the memory of a real guest, by physical address, against its own /proc/kallsyms. */
@Tag("slow")
@Tag("foreign")
class KallsymsSampleTest {

    private static final AddressRange EVERYTHING = new AddressRange(0, -1L);

    @Test
    void symbolsOfTheKernelEqualThoseOfTheGuest() {
        List<String> truth = new String(Samples.truth(Samples.LINUX_ARM64, "gt/kallsyms"), StandardCharsets.US_ASCII)
                .lines()
                .filter(line -> !line.contains("["))
                .toList();
        List<Kallsyms> found = new ArrayList<>();
        String location = "raw:" + Samples.core(Samples.LINUX_ARM64) + "@0x40000000";
        try (Guest guest = Guests.source(location).freeze()) {
            MemorySearch.of(SearchPattern.bytes(Kallsyms.searched()))
                    .physical(
                            guest.memory(),
                            hit -> Kallsyms.around(guest.memory(), hit.address()).ifPresent(found::add),
                            Progress.none());
        }
        assertEquals(1, found.size());
        assertEquals(AddressForm.BASE_RELATIVE, found.getFirst().form());
        assertFalse(found.getFirst().isPhysical());
        assertEquals(truth, lines(found.getFirst().symbols(0, EVERYTHING)));
    }

    private static List<String> lines(KernelSymbols symbols) {
        return symbols.stream()
                .map(symbol -> "%016x %c %s".formatted(symbol.address(), symbol.type(), symbol.name()))
                .toList();
    }
}

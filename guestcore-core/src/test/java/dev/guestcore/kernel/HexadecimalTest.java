package dev.guestcore.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.AddressRange;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.address.AddressSpace;
import dev.guestcore.cpu.TranslationOptions;
import dev.guestcore.search.MemorySearch;
import dev.guestcore.search.SearchHit;
import dev.guestcore.search.SearchPattern;
import dev.guestcore.search.SearchSummary;
import dev.guestcore.testing.MadeUpKernel;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Records show addresses as people write them. */
class HexadecimalTest {

    /** A decimal number so long can only be an address. */
    private static final Pattern DECIMAL = Pattern.compile("(?<![0-9a-fx])-?[0-9]{8,}(?![0-9a-f]| bytes)");

    @Test
    void addressesAreHexadecimal() {
        MadeUpKernel kernel = MadeUpKernel.at(0x1a00_0000, 8 << 20).withNoteAt(0x10_0000);
        Guest guest = kernel.guest().vcpu(kernel.registers()).build();
        AddressSpace space = AddressSpace.of(guest, guest.vcpus().getFirst());
        List<Object> shown = new ArrayList<>();
        List<SearchHit> hits = new ArrayList<>();
        SearchSummary summary = MemorySearch.of(SearchPattern.bytes(MadeUpKernel.TEXT.getBytes()))
                .limit(2)
                .virtual(space, hits::add, Progress.none());
        shown.addAll(hits);
        shown.add(summary);
        shown.add(space.paging());
        shown.add(space.translate(kernel.textAddress()));
        shown.add(space.translate(0x7000_0000_0000L));
        shown.add(TranslationOptions.defaults().withRoot(0x1234_5000L).withEncryptionBit(51));
        space.mappings(shown::add);
        shown.add(space.mappings(new AddressRange(0, -1L), 2, mapping -> {}));
        shown.add(VmcoreInfoChoice.search(guest, Progress.none()).orElseThrow());
        shown.add(KernelFacts.search(guest, Progress.none()));
        shown.add(AddressSpaceChoice.glance(
                guest, Optional.of(guest.vcpus().getFirst()), TranslationOptions.defaults()));
        assertEquals(2, hits.size());
        for (Object record : shown) {
            assertTrue(record.toString().contains("0x"), record.toString());
            assertFalse(DECIMAL.matcher(record.toString()).find(), record.toString());
        }
    }
}

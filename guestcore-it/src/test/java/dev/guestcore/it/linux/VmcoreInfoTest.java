package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Guest;
import dev.guestcore.facts.VmcoreInfoFacts;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.export.VmcoreInfoExport;
import dev.guestcore.open.Guests;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** VMCOREINFO made from memory says what the guest's own kernel said of itself. */
@Tag("slow")
@Tag("foreign")
class VmcoreInfoTest {

    @ParameterizedTest
    @EnumSource
    void isTheKernelsOwnLineByLine(KnownLinux known) {
        try (Guest guest = Guests.open(known.kdump())) {
            String own = guest.facts(VmcoreInfoFacts.class).orElseThrow().text();
            Linux linux = Linux.of(guest);
            assertEquals(own, VmcoreInfoExport.own(linux).orElseThrow());
            List<String> expected = own.lines()
                    // Written when the kernel panicked; and where the tables of symbols are, which have no symbols themselves.
                    .filter(line -> !line.startsWith("CRASHTIME=") && !line.startsWith("SYMBOL(kallsyms_"))
                    .toList();
            List<String> made = VmcoreInfoExport.made(linux).lines().toList();
            assertEquals(VmcoreInfoFacts.MADE, made.getLast());
            assertEquals(String.join("\n", expected), String.join("\n", made.subList(0, made.size() - 1)));
        }
    }
}

package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Guest;
import dev.guestcore.linux.Linux;
import dev.guestcore.open.Guests;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every symbol of the kernel and its modules, beside what /proc/kallsyms told the guest. */
@Tag("slow")
@Tag("foreign")
class SymbolsTest {

    @ParameterizedTest
    @EnumSource
    void symbolsAreThoseThatTheGuestSaw(KnownLinux known) {
        // The guest lists its modules one after the other, not by address.
        List<String> truth = known.truth().lines("proc/kallsyms").stream().sorted().toList();
        try (Guest guest = Guests.open(known.kdump())) {
            Linux linux = Linux.of(guest);
            List<String> found = linux.symbols().stream()
                    .map(symbol -> "%016x %c %s".formatted(symbol.address(), symbol.type(), symbol.name())
                            + symbol.module().map(name -> "\t[" + name + "]").orElse(""))
                    .sorted()
                    .toList();
            assertEquals(List.of(), linux.symbolProblems());
            assertEquals(truth, found);
        }
    }
}

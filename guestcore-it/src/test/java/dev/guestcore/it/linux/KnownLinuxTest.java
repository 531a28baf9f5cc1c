package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.open.Guests;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The guests are what the other tests take them for. */
@Tag("slow")
@Tag("foreign")
class KnownLinuxTest {

    @ParameterizedTest
    @EnumSource
    void ranWhatItWasToRun(KnownLinux known) {
        LinuxTruth truth = known.truth();
        Set<String> names = new TreeSet<>();
        truth.processes().forEach(process -> names.add(truth.text("proc/" + process + "/comm").strip()));
        assertTrue(
                names.containsAll(
                        Set.of("init", "kthreadd", "sleeper", "zombie", "odd) R 1 (name", "inner", "recorder")),
                names::toString);
        Set<String> states = new TreeSet<>();
        truth.processes().forEach(process -> states.add(truth.stat("proc/" + process).getFirst()));
        assertEquals(Set.of("D", "I", "R", "S", "T", "Z"), states);
        try (Guest guest = Guests.open(known.kdump())) {
            assertEquals(2, guest.vcpus().size());
        }
    }
}

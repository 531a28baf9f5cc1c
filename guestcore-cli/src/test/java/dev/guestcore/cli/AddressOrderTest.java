package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.testing.SignedAddresses;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What holds in the library holds here: addresses are unsigned. */
class AddressOrderTest {

    @Test
    void noClassTakesAnAddressForASignedNumber() throws Exception {
        Path classes =
                Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        assertEquals(List.of(), SignedAddresses.in(classes));
    }
}

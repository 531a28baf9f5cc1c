package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.guestcore.open.Guests;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Formats and sources must be found by users with modules and by those without. */
class ServicesTest {

    @Test
    void theClassPathHasTheServicesOfTheModule() throws Exception {
        ModuleDescriptor module;
        // Every library on the class path may have a descriptor: ours lies where our classes do.
        URI classes = Guests.class.getProtectionDomain().getCodeSource().getLocation().toURI();
        try (InputStream descriptor = URI.create(classes + "module-info.class").toURL().openStream()) {
            module = ModuleDescriptor.read(descriptor);
        }
        assertFalse(module.provides().isEmpty());
        for (ModuleDescriptor.Provides service : module.provides()) {
            try (InputStream list = Guests.class.getResourceAsStream("/META-INF/services/" + service.service())) {
                Set<String> onClassPath = new String(list.readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .collect(Collectors.toSet());
                assertEquals(
                        new TreeSet<>(service.providers()),
                        new TreeSet<>(onClassPath),
                        "module-info.java provides other classes than META-INF/services/" + service.service()
                                + " lists");
            }
        }
    }
}

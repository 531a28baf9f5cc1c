package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** Formats and sources must be found by users with modules and by those without. */
class ServicesTest {

    @Test
    void theClassPathHasTheServicesOfTheModule() throws Exception {
        ModuleDescriptor module;
        try (InputStream descriptor = Guests.class.getResourceAsStream("/module-info.class")) {
            module = ModuleDescriptor.read(descriptor);
        }
        assertFalse(module.provides().isEmpty());
        for (ModuleDescriptor.Provides service : module.provides()) {
            try (InputStream list = Guests.class.getResourceAsStream("/META-INF/services/" + service.service())) {
                Set<String> onClassPath = new String(list.readAllBytes(), StandardCharsets.UTF_8)
                        .lines()
                        .collect(Collectors.toSet());
                assertEquals(Set.copyOf(service.providers()), onClassPath, service.service());
            }
        }
    }
}

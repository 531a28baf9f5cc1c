package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LoadedModule;
import dev.guestcore.linux.Modules;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Modules in memory, beside what /proc/modules told the guest. */
@Tag("slow")
@Tag("foreign")
class ModulesTest {

    /** As /proc/modules writes it. */
    private static String line(LoadedModule module) {
        String users = module.usedBy().stream().map(user -> user + ",").collect(Collectors.joining());
        String state = module.state().substring(0, 1).toUpperCase(Locale.ROOT) + module.state().substring(1);
        return "%s %d %d %s %s 0x%016x".formatted(
                module.name(),
                module.size(),
                module.references(),
                users.isEmpty() ? "-" : users,
                state,
                module.address());
    }

    @ParameterizedTest
    @EnumSource
    void everyModuleIsAsTheGuestSawIt(KnownLinux known) {
        try (Guest guest = Guests.open(known.kdump())) {
            Modules modules = Linux.of(guest).modules();
            assertEquals(List.of(), modules.problems());
            assertEquals(known.truth().lines("proc/modules"), modules.stream().map(ModulesTest::line).toList());
            Set<LoadedModule.Place> everywhere = EnumSet.allOf(LoadedModule.Place.class);
            modules.stream().forEach(module -> assertEquals(everywhere, module.seenIn(), module.name()));
        }
    }

    @Test
    void theCommandShowsThem(@TempDir Path folder) throws Exception {
        String stock = KnownLinux.STOCK.kdump().toString();
        String shown = CommandLine.run(folder, "lsmod", stock).expect(0).out();
        assertTrue(shown.matches("(?s).*\n  llc +0x[0-9a-f]{16} +16 KiB +1  stp\n.*"), shown);
        Map<?, ?> document = JsonSchema.check(
                CommandLine.run(folder, "lsmod", stock, "--json").expect(0).out().getBytes(StandardCharsets.UTF_8));
        assertEquals(4, ((List<?>) document.get("modules")).size());
    }
}

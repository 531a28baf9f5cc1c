package dev.guestcore.source.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.arch.x86.X86;
import dev.guestcore.error.SourceException;
import dev.guestcore.source.GuestSource;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The example of docs/sources.md is {@link OnePageProvider}, and it works. */
class OnePageProviderTest {

    @Test
    void theDocumentationShowsThisCode() throws IOException {
        String code = Files.readString(
                Path.of("src", "test", "java").resolve(OnePageProvider.class.getName().replace('.', '/') + ".java"));
        String shown = code.substring(code.indexOf("/**"));
        assertTrue(Files.readString(Path.of("..", "docs", "sources.md")).contains("```java\n" + shown + "```"));
    }

    /** As ContractTest asks of those that are registered. */
    @Test
    void whatNamesNoGuestIsAnError() {
        for (String locator : List.of("no such thing", "/no/such/thing", "\0", "")) {
            SourceException error = assertThrows(SourceException.class, () -> new OnePageProvider().connect(locator));
            assertEquals(1, String.valueOf(error.getMessage()).lines().count());
        }
    }

    @Test
    void theExampleGivesAGuest() {
        try (GuestSource source = new OnePageProvider().connect("hello");
                Guest guest = source.freeze()) {
            byte[] bytes = new byte[5];
            guest.memory().read(0, MemorySegment.ofArray(bytes));
            assertEquals("hello", new String(bytes, StandardCharsets.UTF_8));
            assertEquals(4096, source.regions().getFirst().range().size());
            assertEquals(0x10, guest.vcpus().getFirst().registers().get(X86.RIP));
        }
    }
}

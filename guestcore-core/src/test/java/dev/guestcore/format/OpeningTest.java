package dev.guestcore.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Finding;
import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.FileBytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OpeningTest {

    @TempDir
    Path folder;

    private Path path;

    @BeforeEach
    void write() throws IOException {
        path = Files.writeString(folder.resolve("a"), "a file");
    }

    /** A format whose rules look at nothing. */
    private record Careless(Function<FileBytes, Guest> opener) implements OneFileFormat {

        @Override
        public String name() {
            return "careless";
        }

        @Override
        public String title() {
            return "Careless";
        }

        @Override
        public Probe probe(FileBytes file) {
            return Probe.exact("always");
        }

        @Override
        public Guest open(FileBytes file) {
            return opener.apply(file);
        }

        @Override
        public List<Check> rules(FileBytes file, boolean deep, Progress progress) {
            return List.of();
        }

        @Override
        public boolean canWrite() {
            return false;
        }

        @Override
        public List<WriteOption> writeOptions() {
            return List.of();
        }

        @Override
        public CoreWriter writer(Map<String, String> options) {
            throw new UnsupportedRequestException("read only");
        }
    }

    private Check verify(Function<FileBytes, Guest> opener) {
        try (FileBytes file = FileBytes.open(path)) {
            List<Check> checks = new Careless(opener).verify(file, false, Progress.none());
            assertEquals(1, checks.size());
            assertEquals('a', file.u8(0, "still open"));
            return checks.getFirst();
        }
    }

    private static Guest guest(FileBytes file, Finding... findings) {
        return Guest.builder().findings(List.of(findings)).onClose(file::close).build();
    }

    @Test
    void damageThatOpeningFindsFailsWhateverTheRulesLookAt() {
        Check check = verify(file -> guest(file, Finding.note("odd"), Finding.damage("torn"), Finding.damage("worn")));
        assertEquals(Check.Result.FAIL, check.result());
        assertEquals("careless-00", check.id());
        assertTrue(check.found().contains("2 findings of damage"), check.found());
        assertTrue(check.found().endsWith("the first: torn"), check.found());
    }

    @Test
    void notesAreNoDamage() {
        assertEquals(Check.Result.PASS, verify(file -> guest(file, Finding.note("odd"))).result());
    }

    @Test
    void whatCannotBeOpenedFails() {
        Check check = verify(file -> {
            throw new UnsupportedRequestException("written by a version of next year");
        });
        assertEquals(Check.Result.FAIL, check.result());
        assertEquals("written by a version of next year", check.found());
    }
}

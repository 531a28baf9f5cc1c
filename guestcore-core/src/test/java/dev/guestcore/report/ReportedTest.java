package dev.guestcore.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.guestcore.Finding;
import dev.guestcore.MemoryAccessException;
import dev.guestcore.PageState;
import dev.guestcore.error.MalformedDumpException;
import dev.guestcore.format.Check;
import dev.guestcore.format.Loss;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class ReportedTest {

    private static final MalformedDumpException ERROR =
            new MalformedDumpException("vm.core", 0x40, "e_phnum", "at least 1", "0", "copy the file again");

    @Test
    void findingsKeepThePartsOfTheErrorThatTheyCameFrom() {
        Finding finding = Finding.damage(ERROR);
        assertEquals("malformed-dump", finding.id());
        assertEquals(Severity.DAMAGE, finding.severity());
        assertEquals(Place.of("vm.core", 0x40), finding.place());
        assertEquals("at least 1", finding.expected());
        assertEquals("0", finding.found());
        assertEquals("copy the file again", finding.remedy());
        assertEquals(ERROR.getMessage(), finding.message());
        assertEquals(finding.place(), finding.withMessage("in other words").place());
        assertEquals(Finding.damage(finding.message()), finding, "says the same");
        assertThrows(IllegalArgumentException.class, () -> Finding.of(Severity.FAILED, "x"));
    }

    @Test
    void errorsChecksAndLossesTellTheSameParts() {
        assertEquals(Severity.FAILED, ERROR.severity());
        Reported memory = new MemoryAccessException(0x1000, PageState.ABSENT);
        assertEquals("memory-access", memory.id());
        assertEquals(OptionalLong.of(0x1000), memory.place().address());
        Reported broken = new Check("elf-07", "rule", "docs", Check.Result.FAIL, OptionalLong.of(4), "a", "b", "");
        assertEquals(Severity.DAMAGE, broken.severity());
        assertEquals(OptionalLong.of(4), broken.place().offset());
        assertEquals("docs", broken.source());
        assertEquals(Severity.OMITTED, new Loss("what", "why", false).severity());
        assertEquals(Severity.NOTE, new Loss("what", "why", true).severity());
    }
}

package dev.guestcore.it.readers;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.Progress;
import dev.guestcore.file.FileBytes;
import dev.guestcore.format.Check;
import dev.guestcore.it.readers.WrittenCore.Kind;
import dev.guestcore.open.Guests;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What {@code verify --deep} says of the cores that the other readers get. */
class WrittenCoreTest {

    static Stream<WrittenCore> elfCoresAndKdumps() {
        return WrittenCore.of(Kind.ELF, Kind.KDUMP, Kind.FLATTENED_KDUMP);
    }

    @ParameterizedTest
    @MethodSource("elfCoresAndKdumps")
    void noRuleIsBroken(WrittenCore core) {
        try (FileBytes bytes = FileBytes.open(core.file())) {
            List<Check> broken = Guests.recognize(bytes).verify(bytes, true, Progress.none()).stream()
                    .filter(check -> check.result() == Check.Result.FAIL)
                    .toList();
            assertEquals(List.of(), broken);
        }
    }
}

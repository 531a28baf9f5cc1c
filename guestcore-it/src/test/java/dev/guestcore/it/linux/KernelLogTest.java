package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.KernelLog;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.LogEntry;
import dev.guestcore.linux.LogGap;
import dev.guestcore.linux.LogRecord;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The log in memory, beside what /dev/kmsg gave the guest. */
@Tag("slow")
@Tag("foreign")
class KernelLogTest {

    /** As /dev/kmsg writes it: facility and level, number, microseconds; the text with escapes. */
    private record Line(int priority, long sequence, long microseconds, String text) {}

    /** Documentation of Linux, ABI/testing/dev-kmsg: lines of a record's dictionary begin with a blank. */
    private static List<Line> expected(LinuxTruth truth) {
        List<Line> lines = new ArrayList<>();
        for (String line : truth.lines("kmsg")) {
            if (!line.startsWith(" ")) {
                int text = line.indexOf(';');
                String[] fields = line.substring(0, text).split(",");
                lines.add(new Line(
                        Integer.parseInt(fields[0]),
                        Long.parseLong(fields[1]),
                        Long.parseLong(fields[2]),
                        line.substring(text + 1)));
            }
        }
        return lines;
    }

    /** Escapes as /dev/kmsg does: bytes that are no printable ASCII, and the backslash. */
    private static String escaped(String text) {
        StringBuilder escaped = new StringBuilder();
        for (byte octet : text.getBytes(StandardCharsets.UTF_8)) {
            if (octet < 0x20 || octet == 0x7f || octet == '\\') {
                escaped.append("\\x%02x".formatted(octet & 0xff));
            } else {
                escaped.append((char) octet);
            }
        }
        return escaped.toString();
    }

    private static void assertTrueLog(LinuxTruth truth, KernelLog log) {
        List<LogEntry> entries = log.stream().toList();
        assertEquals(List.of(), entries.stream().filter(LogGap.class::isInstance).toList());
        List<Line> found = log.records()
                .map(record -> new Line(
                        record.facility() * 8 + record.level(),
                        record.sequence(),
                        record.nanoseconds() / 1000,
                        escaped(record.text())))
                .toList();
        List<Line> expected = expected(truth);
        assertTrue(expected.size() > 300, () -> expected.size() + " records");
        for (int i = 0; i < expected.size(); i++) {
            String text = expected.get(i).text();
            if (text.contains("\\xff")) {
                // The guest's byte is no UTF-8, and is shown as such.
                assertEquals(text.replace("\\xff", escaped("\ufffd")), found.get(i).text());
            } else {
                assertEquals(expected.get(i), found.get(i));
            }
        }
    }

    @Test
    void theCommandShowsIt(@TempDir Path folder) throws Exception {
        String panicked = KnownLinux.PANICKED.kdump().toString();
        String crash = CommandLine.run(folder, "log", panicked, "--crash").expect(0).out();
        assertTrue(crash.lines().findFirst().orElseThrow().contains("] sysrq: Trigger a crash"), crash);
        assertTrue(crash.lines().reduce((first, last) -> last).orElseThrow().contains("end Kernel panic"), crash);
        String warnings = CommandLine.run(folder, "dmesg", panicked, "--level", "warn", "-x").expect(0).out();
        assertTrue(
                warnings.lines()
                        .anyMatch(line -> line.matches("user {4}:warn {2}: \\[ .*T1: guestcore: of a user, a warning")),
                warnings);
        assertFalse(warnings.contains("Linux version"), warnings);
        String whole = CommandLine.run(folder, "log", panicked).expect(0).out();
        assertTrue(whole.matches("(?s).*] guestcore: two\n {15}lines, the second with \\\\u0001 and \ufffd\n.*"),
                whole);
        String stock = KnownLinux.STOCK.kdump().toString();
        assertEquals("", CommandLine.run(folder, "log", stock, "--crash").expect(1).out());
        Map<?, ?> document = JsonSchema.check(CommandLine.run(folder, "log", stock, "--json")
                .expect(0)
                .out()
                .getBytes(StandardCharsets.UTF_8));
        assertEquals(expected(KnownLinux.STOCK.truth()).size(), ((List<?>) document.get("records")).size());
        assertEquals(List.of(), document.get("missing"));
    }

    @ParameterizedTest
    @EnumSource
    void everyRecordIsAsTheGuestHadIt(KnownLinux known) {
        try (Guest guest = Guests.open(known.kdump())) {
            assertTrueLog(known.truth(), KernelLog.byVmcoreInfo(guest, Progress.none()));
            KernelLog log = Linux.of(guest).log();
            assertTrueLog(known.truth(), log);
            List<LogRecord> records = log.records().toList();
            assertEquals(
                    known == KnownLinux.PANICKED,
                    records.stream().anyMatch(record -> record.text().startsWith("Kernel panic - not syncing: sysrq")));
        }
    }
}

package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.linux.Interrupt;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.Walk;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Interrupts, beside what /proc/interrupts told the guest a moment before. */
@Tag("slow")
@Tag("foreign")
class InterruptsTest {

    private static final int CPUS = 2;

    /** Devices that nothing used between the truth and the dump. */
    private static final Set<String> AT_REST = Set.of("timer", "i8042", "rtc0", "acpi", "nvme0q0");

    private static String name(String line) {
        return line.substring(0, line.indexOf(':')).strip();
    }

    private static List<Long> counts(String line) {
        return Arrays.stream(line.substring(line.indexOf(':') + 1).strip().split(" +"))
                .limit(CPUS)
                .map(Long::valueOf)
                .toList();
    }

    /** What stands behind the counts, as the kernel writes it. */
    private static String rest(Interrupt interrupt) {
        return interrupt.chip().orElseThrow() + " " + interrupt.hardwareNumber().orElseThrow() + "-"
                + interrupt.flow().orElseThrow() + " "
                + interrupt.handlers().stream().map(Interrupt.Handler::name).collect(Collectors.joining(", "));
    }

    @ParameterizedTest
    @EnumSource
    void areAsTheGuestHadThem(KnownLinux known) {
        try (Guest guest = Guests.open(known.kdump())) {
            Walk<Interrupt> interrupts = Linux.of(guest).interrupts();
            assertEquals(List.of(), interrupts.problems());
            assertTrue(interrupts.complete());
            Map<String, Interrupt> found = new TreeMap<>();
            interrupts.forEach(interrupt -> found.put(interrupt.name(), interrupt));
            for (String line : known.truth().lines("proc/interrupts").stream().skip(1).toList()) {
                boolean device = Character.isDigit(name(line).charAt(0));
                boolean perCpu = line.strip().split(" +").length > CPUS + 1;
                if (device || perCpu && counts(line).stream().anyMatch(count -> count > 0)) {
                    Interrupt interrupt = found.remove(name(line));
                    assertNotNull(interrupt, line);
                    check(line, interrupt, device);
                }
            }
            // Those that came for the first time after the truth was written.
            found.values().forEach(other -> assertTrue(other.chip().isEmpty(), other::toString));
        }
    }

    private static void check(String line, Interrupt interrupt, boolean device) {
        List<Long> before = counts(line);
        List<Long> now = List.copyOf(interrupt.counts().values());
        assertEquals(CPUS, now.size());
        for (int cpu = 0; cpu < CPUS; cpu++) {
            assertTrue(now.get(cpu) >= before.get(cpu), line + interrupt);
        }
        if (!device) {
            assertTrue(line.endsWith("   " + interrupt.about()), line + interrupt.about());
            return;
        }
        String[] words = line.substring(line.indexOf(':') + 1).strip().split(" +");
        assertEquals(
                String.join(" ", Arrays.copyOfRange(words, CPUS, words.length)), rest(interrupt));
        if (interrupt.handlers().stream().anyMatch(handler -> AT_REST.contains(handler.name()))) {
            assertEquals(before, now, line);
        }
        interrupt.handlers().forEach(handler -> assertTrue(handler.symbol().isPresent(), handler::toString));
    }

    @Test
    void theCommandShowsThem(@TempDir Path folder) throws Exception {
        String stock = KnownLinux.STOCK.kdump().toString();
        String shown = CommandLine.run(folder, "irqs", stock).expect(0).out();
        assertTrue(shown.contains("edge     timer (timer_interrupt)\n"), shown);
        assertTrue(shown.matches("(?s).*\n  LOC +[0-9]+ +[0-9]+ +Local timer interrupts\n.*"), shown);
        Map<?, ?> document = JsonSchema.check(
                CommandLine.run(folder, "irqs", stock, "--json").expect(0).out().getBytes(StandardCharsets.UTF_8));
        assertEquals(List.of(), document.get("problems"));
        assertTrue(((List<?>) document.get("interrupts")).size() >= 9);
    }
}

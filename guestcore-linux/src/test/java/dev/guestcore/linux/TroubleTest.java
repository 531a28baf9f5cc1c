package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.linux.Trouble.Kind;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What counts as trouble in a log. */
class TroubleTest {

    private static final long SECOND = 1_000_000_000;

    private static LogRecord record(long second, int facility, String text) {
        return new LogRecord(second, second * SECOND, facility, 3, Optional.empty(), Optional.empty(), text,
                LogRecord.State.COMPLETE);
    }

    private static Optional<Trouble> last(String... texts) {
        List<LogRecord> records = new ArrayList<>();
        for (String text : texts) {
            records.add(record(records.size(), 0, text));
        }
        return Trouble.last(records.stream());
    }

    @ParameterizedTest
    @CsvSource({
        "PANIC, Kernel panic - not syncing: Attempted to kill init!",
        "OOPS, 'BUG: unable to handle page fault for address: ffffc90000001000'",
        "OOPS, 'BUG: kernel NULL pointer dereference, address: 0000000000000000'",
        "OOPS, kernel BUG at mm/slub.c:4000!",
        "OOPS, 'general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]'",
        "HARD_LOCKUP, 'NMI watchdog: Watchdog detected hard LOCKUP on cpu 3'",
        "SOFT_LOCKUP, 'watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [spinner:92]'",
        "STALL, 'rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:'",
        "HUNG_TASK, 'INFO: task vfork parent:94 blocked for more than 120 seconds.'",
        "OUT_OF_MEMORY, 'eater invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0'",
        "BUG, 'BUG: scheduling while atomic: swapper/0/0/0x00000002'"
    })
    void eachKindIsKnownByTheKernelsWords(Kind kind, String text) {
        Trouble trouble = last("all is well", text).orElseThrow();
        assertEquals(kind, trouble.kind());
        assertEquals(text, trouble.headline().text());
    }

    @Test
    void aReportHasTheWorstOfItsKinds() {
        Trouble trouble = last("------------[ cut here ]------------", "kernel BUG at mm/slub.c:4000!",
                "Kernel panic - not syncing: Fatal exception",
                "---[ end Kernel panic - not syncing: Fatal exception ]---")
                .orElseThrow();
        assertEquals(Kind.PANIC, trouble.kind());
        assertEquals(0, trouble.begin().sequence());
        assertEquals(2, trouble.headline().sequence());
    }

    @Test
    void theLastReportCounts() {
        Trouble trouble =
                last("Oops: 0000 [#1]", "", "", "", "INFO: task a:1 blocked for more than 120 seconds.").orElseThrow();
        assertEquals(Kind.HUNG_TASK, trouble.kind());
        assertEquals(4, trouble.begin().sequence());
    }

    /** The kernel marks what programs write into its log. */
    @Test
    void programsCannotMakeTrouble() {
        assertEquals(Optional.empty(), Trouble.last(Stream.of(record(1, 1, "Kernel panic - not syncing: a joke"))));
        assertEquals(Optional.empty(), last("all is well"));
    }
}

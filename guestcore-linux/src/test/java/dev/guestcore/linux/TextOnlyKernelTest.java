package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.open.Guests;
import dev.guestcore.testing.Samples;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A real guest of arm64 without registers, whose kernel names code only: what it was doing, against what it said itself. */
@Tag("slow")
@Tag("foreign")
class TextOnlyKernelTest {

    private static List<String> truth(String name) {
        return new String(Samples.truth(Samples.LINUX_ARM64, "gt/" + name), StandardCharsets.UTF_8).lines().toList();
    }

    @Test
    void tasksModulesAndLogEqualThoseOfTheGuest() {
        String location = "raw:" + Samples.core(Samples.LINUX_ARM64) + "@0x40000000";
        try (Guest guest = Guests.source(location).freeze()) {
            Linux linux = Linux.of(guest);
            assertTrue(linux.image().how().endsWith("mapped by page tables found in its image"), linux.image()::how);
            assertEquals(
                    truth("modules").stream()
                            .map(line -> line.split(" "))
                            .map(words -> words[0] + " " + words[1])
                            .toList(),
                    linux.modules().stream().map(module -> module.name() + " " + module.size()).toList());
            Set<String> threads = linux.tasks().processes()
                    .map(task -> task.pid() + " [" + task.name() + "]")
                    .collect(Collectors.toSet());
            List<String> said = truth("ps").stream()
                    .map(line -> line.strip().split(" +", 3))
                    .filter(words -> words[2].startsWith("[") && !words[2].startsWith("[kworker/"))
                    .map(words -> words[0] + " " + words[2])
                    .toList();
            assertTrue(said.size() > 30, said::toString);
            assertTrue(threads.containsAll(said), () -> said + " in " + threads);
            List<String> log = linux.log().records().map(LogRecord::text).toList();
            List<String> messages = truth("dmesg").stream()
                    .map(line -> line.replaceFirst("^<\\d+>\\[[ .0-9]+] ", ""))
                    .toList();
            assertTrue(log.containsAll(messages), () -> messages + " in " + log);
        }
    }
}

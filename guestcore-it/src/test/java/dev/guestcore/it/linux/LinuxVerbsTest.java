package dev.guestcore.it.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.it.faults.CommandLine;
import dev.guestcore.testing.JsonSchema;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands that show the insides of processes. What they show is compared with the guest's own words elsewhere. */
@Tag("slow")
@Tag("foreign")
class LinuxVerbsTest {

    @TempDir
    Path folder;

    private static String process(String name) {
        LinuxTruth truth = KnownLinux.STOCK.truth();
        return truth.processes().stream()
                .filter(id -> truth.text("proc/" + id + "/comm").startsWith(name))
                .map(String::valueOf)
                .findFirst()
                .orElseThrow();
    }

    private CommandLine.Ended run(String verb, String... rest) throws Exception {
        List<String> words = new ArrayList<>(List.of(verb, KnownLinux.STOCK.kdump().toString()));
        words.addAll(List.of(rest));
        return CommandLine.run(folder, words.toArray(String[]::new));
    }

    private List<?> list(String verb, String member, String... rest) throws Exception {
        List<String> words = new ArrayList<>(List.of(rest));
        words.add("--json");
        String document = run(verb, words.toArray(String[]::new)).expect(0).out();
        Map<?, ?> checked = JsonSchema.check(document.getBytes(StandardCharsets.UTF_8));
        assertEquals(List.of(), checked.get("problems") == null ? List.of() : checked.get("problems"));
        return (List<?>) checked.get(member);
    }

    @Test
    void documentsAreAsTheirSchemasSay() throws Exception {
        String files = process("files");
        assertEquals(KnownLinux.STOCK.truth().lines("proc/" + files + "/fd").size(),
                list("lsof", "files", files).size());
        assertEquals(KnownLinux.STOCK.truth().lines("proc/" + files + "/maps").size(),
                list("maps", "areas", files).size());
        assertEquals(KnownLinux.STOCK.truth().lines("proc/1/mountinfo").size(), list("mount", "mounts").size());
        assertEquals(List.of("HOME=/", "TERM=linux"), list("env", "environment", "1"));
        assertEquals(16, list("ss", "sockets").size());
        assertEquals(3, list("ip", "devices").size());
    }

    @Test
    void textsAreThoseThatUsersKnow() throws Exception {
        String files = run("files", process("files")).expect(0).out();
        assertTrue(files.contains("/tmp/deleted (deleted)\n"), files);
        assertEquals(
                KnownLinux.STOCK.truth().text("proc/" + process("maps") + "/maps").lines().map(String::stripTrailing)
                        .toList(),
                run("maps", process("maps")).expect(0).out().lines().toList());
        String mounts = run("mount").expect(0).out();
        assertTrue(mounts.contains("scratch space on /bound type tmpfs (rw,noatime)\n"), mounts);
        String sockets = run("ss", "--listening").expect(0).out();
        assertTrue(sockets.matches("(?s).*tcp +LISTEN +127\\.0\\.0\\.1:8080 +sockets \\(pid [0-9]+, fd 4\\)\n.*"),
                sockets);
        assertEquals(4, sockets.lines().count(), sockets);
        String devices = run("ip").expect(0).out();
        assertTrue(devices.contains("    inet 192.0.2.1/24 scope global\n"), devices);
        assertEquals("", run("env", "2").expect(1).out());
        assertEquals("", run("maps", "2").expect(1).out());
        for (String form : List.of("--module=nope", "--module=nope --json")) {
            String said = run("symbols", form.split(" ")).expect(1).err();
            assertTrue(said.contains("no symbols of module 'nope'; "), said);
        }
        assertTrue(run("env", "99999").expect(1).err().contains("there is no process 99999 in the guest"));
    }
}

package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Completion, as each shell does it. */
@Tag("foreign")
class CompletionTest {

    @TempDir
    Path folder;

    private Path script = Path.of("");

    @BeforeEach
    void makeFiles() throws IOException {
        Files.createDirectories(folder.resolve("vmdir"));
        Files.writeString(folder.resolve("vm one.core"), "");
        Files.writeString(folder.resolve("vmdir/inner.qmp"), "");
        Path program = Files.writeString(folder.resolve("guestcore"), "#!/bin/sh\n");
        assertTrue(program.toFile().setExecutable(true));
    }

    private void write(String shell, String name) throws IOException {
        ForeignTools.require(shell);
        script = Files.write(
                folder.resolve(name), Run.of("completion", "--shell", shell).expect(0).bytes());
    }

    /** As readline would split it: blanks, and = and : are words of their own. */
    private List<String> bash(String line) {
        List<String> words = Stream.of(line.split(" ", -1))
                .flatMap(word -> Arrays.stream(word.split("(?=[=:])|(?<=[=:])", -1)))
                .map(word -> "'" + word + "'")
                .toList();
        String program = """
                cd "$1" && . "$2" && compopt() { :; }
                COMP_WORDS=(%s) COMP_CWORD=%d
                _complete_guestcore
                [ ${#COMPREPLY[@]} = 0 ] || printf '%%s\\n' "${COMPREPLY[@]}"
                """.formatted(String.join(" ", words), words.size() - 1);
        return ForeignTools.output("bash", "-c", program, "bash", folder.toString(), script.toString())
                .lines()
                .toList();
    }

    @Test
    void bashCompletes() throws IOException {
        write("bash", "completion.bash");
        assertEquals(List.of("verify"), bash("guestcore ver"));
        assertEquals(List.of("kdump"), bash("guestcore convert --to kd"));
        assertEquals(List.of("vbox"), bash("guestcore convert --to=vb"));
        assertTrue(bash("guestcore convert --to=").contains("xen"));
        assertEquals(List.of("always"), bash("guestcore info --color al"));
        assertEquals(List.of("5-level"), bash("guestcore translate --paging 5"));
        assertEquals(List.of("--scan"), bash("guestcore info --sc"));
        assertEquals(List.of("vm one.core", "vmdir"), bash("guestcore info vm").stream().sorted().toList());
        assertEquals(List.of("qemu:"), bash("guestcore capture qem"));
        assertEquals(List.of("vmdir/inner.qmp"), bash("guestcore capture qemu:vmdir/in"));
        assertTrue(bash("guestcore verify --against vm").contains("vm one.core"));
        assertTrue(bash("guestcore verify -").contains("--against"));
        assertEquals(List.of(), bash("guestcore regs --cpu "));
        assertTrue(bash("guestcore ").containsAll(Verbs.names()));
        assertEquals(List.of("auto", "always", "never"), bash("guestcore --color "));
        assertEquals(List.of("never"), bash("guestcore --color=n"));
        assertEquals(List.of("verify"), bash("guestcore --color always ver"));
        assertEquals(List.of("kdump"), bash("guestcore --color=always convert --to kd"));
        assertEquals(List.of("--color"), bash("guestcore --c"));
        assertEquals(List.of("verify"), bash("guestcore help ver"));
    }

    private String zsh(String line, boolean sourced) throws IOException {
        Path driver = Files.writeString(folder.resolve("driver.zsh"), """
                zmodload zsh/zpty
                zpty shell zsh -f -i
                zpty -w shell "cd $1; PS1=; LISTMAX=0; fpath=($1/functions \\$fpath); autoload -U compinit; compinit -u -D; $4"
                zpty -w shell "say() { print -r -- \\$BUFFER >$3 }; zle -N say; bindkey '^X^X' say; print rea''dy"
                zpty -r shell output '*ready*'
                zpty -w -n shell "$2"$'\\t\\C-x\\C-x'
                for _ in {1..200}; do
                    [[ -s $3 ]] && break
                    sleep 0.1
                done
                cat $3
                """);
        Path said = folder.resolve("said");
        Files.deleteIfExists(said);
        String source = sourced ? "source " + script : ":";
        return ForeignTools.output(
                "zsh", "-f", driver.toString(), folder.toString(), line, said.toString(), source)
                .strip();
    }

    @Test
    void zshCompletes() throws IOException {
        Files.createDirectories(folder.resolve("functions"));
        write("zsh", "functions/_guestcore");
        assertEquals("guestcore verify", zsh("guestcore ver", false));
        assertEquals("guestcore convert --to vbox", zsh("guestcore convert --to vb", false));
        assertEquals("guestcore convert --to=kdump", zsh("guestcore convert --to=kd", false));
        assertEquals("guestcore info vm\\ one.core", zsh("guestcore info vm\\ o", false));
        assertEquals("guestcore capture qemu:", zsh("guestcore capture qem", true));
        assertEquals("guestcore capture qemu:vmdir/inner.qmp", zsh("guestcore capture qemu:vmdir/in", true));
        assertEquals("guestcore info --scan", zsh("guestcore info --sc", true));
        assertEquals("guestcore --color always", zsh("guestcore --color al", true));
        assertEquals("guestcore --color always verify", zsh("guestcore --color always ver", true));
        assertEquals("guestcore --color=never convert --to vbox", zsh("guestcore --color=never convert --to vb", true));
        assertEquals("guestcore --version", zsh("guestcore --ver", true));
        assertEquals("guestcore help verify", zsh("guestcore help ver", true));
    }

    @Test
    void zshCanSourceWhatBashReads() throws IOException {
        ForeignTools.require("zsh");
        write("bash", "completion.bash");
        assertEquals("guestcore convert --to vbox", zsh("guestcore convert --to vb", true));
    }

    private List<String> fish(String line) {
        return described(line).stream().map(found -> found.split("\t")[0]).toList();
    }

    private List<String> described(String line) {
        String path = folder + ":/usr/bin:/bin";
        return ForeignTools.output(
                "env", "PATH=" + path, "HOME=" + folder, "fish", "-c",
                "cd " + folder + "; source " + script + "; complete -C '" + line + "'")
                .lines()
                .toList();
    }

    @Test
    void fishCompletes() throws IOException {
        write("fish", "guestcore.fish");
        assertEquals(List.of("verify"), fish("guestcore ver"));
        assertEquals(List.of("kdump"), fish("guestcore convert --to kd"));
        assertEquals(List.of("--color=always"), fish("guestcore info --color=al"));
        assertTrue(fish("guestcore info vm").contains("vmdir/"), fish("guestcore info vm").toString());
        assertEquals(List.of("qemu:"), fish("guestcore capture qem"));
        assertEquals(List.of("qemu:vmdir/inner.qmp"), fish("guestcore capture qemu:vmdir/in"));
        assertFalse(fish("guestcore man vm").contains("vmdir/"));
        assertEquals(List.of("kdump"), described("guestcore convert --to kd"), "without what is said of the option");
        assertTrue(described("guestcore convert --t").getFirst().startsWith("--to\tThe format"));
        assertEquals(List.of("always"), fish("guestcore --color al"));
        assertEquals(List.of("verify"), fish("guestcore --color always ver"));
        assertEquals(List.of("verify"), fish("guestcore help ver"));
    }
}

package dev.guestcore.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ForeignTools;
import dev.guestcore.testing.ForeignTools.Answer;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Debian package on a machine that has nothing else. */
class DebianPackageIT {

    @TempDir
    static Path folder;

    private static CleanRoot machine;
    private static List<String> before;

    @BeforeAll
    static void install() throws IOException {
        machine = CleanRoot.in(Files.createDirectory(folder.resolve("root")));
        before = machine.files();
        done(machine.dpkg("--install", Packaged.debianPackage().toString()));
    }

    private static String done(Answer answer) {
        assertEquals(0, answer.exitCode(), answer.text());
        return answer.text();
    }

    @Test
    void theDemoRuns() {
        String said = done(machine.run(List.of(), "/usr/bin/guestcore", "demo", "-o", "/tmp/demo"));
        assertTrue(said.contains("demo.vbox"), said);
        ForeignTools.require("readelf");
        Path core = machine.path("/tmp/demo/demo.vbox");
        String header = ForeignTools.output("readelf", "-hl", core.toString());
        assertTrue(header.contains("CORE (Core file)"), header);
    }

    @Test
    void theStartUpCacheIsUsed() {
        // "On" ends the program where it cannot use the cache; by itself it would only start more slowly.
        List<String> strict = List.of("GUESTCORE_JAVA_OPTIONS=-XX:AOTMode=on -Xlog:class+load:stdout");
        String said = done(machine.run(strict, "/usr/bin/guestcore", "formats"));
        assertTrue(said.contains("dev.guestcore.cli.Main source: shared objects file"), said);
    }

    @Test
    void whatItsModulesNeedIsThere() {
        // The codecs come from a library that has no module descriptor of its own.
        done(machine.run(List.of(), "/usr/bin/guestcore", "capture", "demo:", "-o", "/tmp/snappy", "--to", "avml"));
        done(machine.run(List.of(), "/usr/bin/guestcore", "verify", "/tmp/snappy", "--deep"));
    }

    @Test
    void filesAreAsThePackageSays() {
        assertEquals("", done(machine.dpkg("--verify", "guestcore")));
    }

    @Test
    void theManualIsFound() {
        ForeignTools.require("man");
        String manuals = machine.path("/usr/share/man").toString();
        String page = ForeignTools.output("env", "MANPATH=" + manuals, "LC_ALL=C.UTF-8", "man", "--where", "guestcore");
        assertEquals(manuals + "/man1/guestcore.1.gz", page.strip());
        String text = ForeignTools.output("env", "LC_ALL=C.UTF-8", "MANWIDTH=100", "man", "--warnings", page.strip());
        assertTrue(text.contains("capture"), text);
        assertFalse(text.contains("warning"), text);
    }

    @Test
    void bashCompletes() {
        ForeignTools.require("bash");
        String script = """
                . "$0"
                compopt() { :; }  # it works in a completion only
                COMP_WORDS=(guestcore convert --to vb) COMP_CWORD=3 COMP_LINE="${COMP_WORDS[*]}"
                _complete_guestcore
                echo "${COMPREPLY[@]}"
                """;
        Path completion = machine.path("/usr/share/bash-completion/completions/guestcore");
        assertEquals("vbox", ForeignTools.output("bash", "-c", script, completion.toString()).strip());
    }

    @Test
    void zshCompletes() throws IOException {
        ForeignTools.require("zsh");
        Path script = folder.resolve("complete.zsh");
        try (InputStream stream = DebianPackageIT.class.getResourceAsStream("/complete.zsh")) {
            Files.copy(Objects.requireNonNull(stream), script);
        }
        String functions = machine.path("/usr/share/zsh/vendor-completions").toString();
        assertEquals(
                "guestcore convert --to vbox",
                ForeignTools.output("zsh", "-f", script.toString(), functions, "guestcore convert --to vb").strip());
    }

    @Test
    void fishCompletes() {
        ForeignTools.require("fish");
        // Fish completes only what it can find.
        String answer = ForeignTools.output(
                "env",
                "PATH=" + machine.path("/usr/bin") + ":/usr/bin:/bin",
                "HOME=" + folder,
                "XDG_DATA_DIRS=" + machine.path("/usr/share"),
                "fish",
                "-c",
                "complete -C 'guestcore convert --to vb'");
        assertEquals("vbox", answer.strip());
    }

    @Test
    void nothingIsLeftWhenItIsGone() throws IOException {
        CleanRoot another = CleanRoot.in(Files.createDirectory(folder.resolve("another")));
        done(another.dpkg("--install", Packaged.debianPackage().toString()));
        assertTrue(another.files().contains("/usr/bin/guestcore"));
        done(another.run(List.of(), "/usr/bin/guestcore", "demo", "-o", "/tmp/demo"));
        ForeignTools.output("rm", "-r", another.path("/tmp/demo").toString());
        done(another.dpkg("--purge", "guestcore"));
        assertEquals(before, another.files());
    }
}

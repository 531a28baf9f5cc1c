package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code ./guestcore} says on a machine that lacks something: one line that tells what to install. */
class LauncherTest {

    private static final Path CHECKOUT = Path.of("..");

    @TempDir
    Path folder;

    private Path checkout;
    private Path programs;
    private Path jdks;

    @BeforeEach
    void freshMachine() throws IOException {
        checkout = Files.createDirectories(folder.resolve("a checkout"));
        copy("guestcore");
        copy("guestcore-cli/src/main/launcher/launch.sh");
        for (String module : List.of("guestcore-core", "guestcore-linux")) {
            Files.createDirectories(checkout.resolve(module).resolve("src/main"));
        }
        programs = Files.createDirectories(folder.resolve("bin"));
        for (String name : List.of(
                "cat", "dirname", "find", "flock", "grep", "head", "mkdir", "mv", "readlink", "rm", "sed", "sleep",
                "stty",
                "tail", "touch", "uname")) {
            program(programs.resolve(name), "PATH=/usr/bin:/bin exec " + name + " \"$@\"");
        }
        jdks = Files.createDirectories(folder.resolve("jdks"));
    }

    private void copy(String name) throws IOException {
        Path target = checkout.resolve(name);
        Files.createDirectories(target.getParent());
        Files.copy(CHECKOUT.resolve(name), target, StandardCopyOption.COPY_ATTRIBUTES);
    }

    private void jdk(String version) throws IOException {
        Path home = Files.createDirectories(jdks.resolve("jdk-" + version));
        Files.writeString(home.resolve("release"), "IMPLEMENTOR=\"x\"\nJAVA_VERSION=\"" + version + "\"\n");
        program(Files.createDirectories(home.resolve("bin")).resolve("java"), "exit 0");
    }

    private static void program(Path file, String script) throws IOException {
        Files.writeString(file, "#!/bin/bash\n" + script + "\n");
        assertTrue(file.toFile().setExecutable(true));
    }

    /** What the launcher says; it fails with exit code 1. */
    private String fails() throws IOException, InterruptedException {
        ProcessBuilder builder = new ProcessBuilder("/bin/bash", checkout + "/guestcore", "--version");
        builder.environment().clear();
        builder.environment().put("PATH", programs.toString());
        builder.environment().put("GUESTCORE_JDKS", jdks.toString());
        Process process = builder.redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(1, process.waitFor(), said);
        return said;
    }

    private static void says(String said, String... parts) {
        for (String part : parts) {
            assertTrue(said.contains(part), () -> "\"" + part + "\" in: " + said);
        }
    }

    @Test
    void withTooLittleAddressSpace() throws Exception {
        Process process = new ProcessBuilder(
                "/bin/bash", "-c", "ulimit -v 1000000; . \"$0\"; launch info",
                CHECKOUT + "/guestcore-cli/src/main/launcher/launch.sh")
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(1, process.waitFor());
        assertEquals(
                "guestcore: only 1000000 KiB of address space are allowed (ulimit -v); Java needs 1.5 GiB: raise the"
                        + " limit\n",
                said);
    }

    /** A report of a crash would lie in the user's folder, and a core dump would hold memory of the guest. */
    @Test
    void aCrashLeavesNoFiles() throws Exception {
        Process process = new ProcessBuilder(
                "/bin/bash", "-c", ". \"$0\"; exec \"$1\" $java_options -XX:+PrintFlagsFinal -version",
                CHECKOUT + "/guestcore-cli/src/main/launcher/launch.sh",
                System.getProperty("java.home") + "/bin/java")
                .redirectErrorStream(true)
                .start();
        String flags = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, process.waitFor(), flags);
        for (String flag : List.of(
                "ErrorFile += /dev/null", "CreateCoredumpOnCrash += false", "DumpReplayDataOnError += false",
                "UsePerfData += false")) {
            assertTrue(Pattern.compile(" " + flag + " ").matcher(flags).find(), flag);
        }
    }

    @Test
    void withoutJdk() throws Exception {
        jdk("24.0.9");
        String said = fails();
        says(said, "guestcore: JDK 25.0.3 or later was not found: ", "install", "JAVA_HOME");
        assertEquals(1, said.lines().count(), said);
    }

    @Test
    void withAJdkThatCorruptsData() throws Exception {
        jdk("25.0.2");
        String said = fails();
        says(said, "JDK 25.0.2 in " + jdks, "JDK-8377811", "update it to 25.0.3 or later");
        assertEquals(1, said.lines().count(), said);
    }

    @Test
    void withoutMaven() throws Exception {
        for (String version : List.of("25", "25.0.2", "25.0.10")) {
            jdk(version);
        }
        String said = fails();
        says(said, "guestcore: not built yet, and Maven was not found: ", "install maven");
        assertEquals(1, said.lines().count(), said);
    }

    @Test
    void aNewerJavaWillDo() throws Exception {
        jdk("26-ea");
        says(fails(), "Maven was not found");
    }

    @Test
    void withoutNetwork() throws Exception {
        jdk("25.0.3");
        program(
                programs.resolve("mvn"),
                "echo '[ERROR] Could not transfer artifact a:b:pom:1: Unknown host repo.example: Name or service not known'; exit 1");
        says(fails(), "building Guestcore (first use", "could not: connect to the network", "launcher.log");
    }

    @Test
    void anyOtherFailureShowsTheErrorsOfMaven() throws Exception {
        jdk("25.0.3");
        program(programs.resolve("mvn"), "echo '[INFO] much'; echo '[ERROR] Main.java:[3,1] class expected'; exit 1");
        String said = fails();
        says(said, "[ERROR] Main.java:[3,1] class expected", "guestcore: the build failed; what Maven said is in ");
        assertTrue(!said.contains("much"), said);
    }
}

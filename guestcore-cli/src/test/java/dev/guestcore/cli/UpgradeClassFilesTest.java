package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.classfile.ClassFile;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

@Tag("slow")
class UpgradeClassFilesTest {

    @TempDir
    private Path folder;

    @Test
    void everyClassIsNewEnoughForTheCacheAndStillVerifies()
            throws IOException, InterruptedException, URISyntaxException, ClassNotFoundException {
        Path original = Path.of(
                CommandLine.class.getProtectionDomain().getCodeSource().getLocation().toURI());
        Path jar = Files.copy(original, folder.resolve("picocli.jar"));
        upgrade(jar);

        List<String> names;
        try (JarFile file = new JarFile(jar.toFile());
                JarFile before = new JarFile(original.toFile())) {
            assertEquals(
                    before.stream().map(JarEntry::getName).toList(),
                    file.stream().map(JarEntry::getName).toList());
            names = file.stream()
                    .map(JarEntry::getName)
                    .filter(name -> name.startsWith("picocli/") && name.endsWith(".class"))
                    .toList();
            for (String name : names) {
                int version = ClassFile.of()
                        .parse(file.getInputStream(file.getJarEntry(name)).readAllBytes())
                        .majorVersion();
                assertTrue(version >= ClassFile.JAVA_6_VERSION, () -> name + " is of version " + version);
            }
        }
        assertTrue(names.size() > 100, names::toString);
        try (URLClassLoader loader =
                new URLClassLoader(new URL[] {jar.toUri().toURL()}, ClassLoader.getPlatformClassLoader())) {
            for (String name : names) {
                // Initialized, and so verified; the verifier of the old ones was another.
                Class.forName(name.substring(0, name.length() - ".class".length()).replace('/', '.'), true, loader);
            }
        }

        byte[] once = Files.readAllBytes(jar);
        upgrade(jar);
        assertArrayEquals(once, Files.readAllBytes(jar));
    }

    private static void upgrade(Path jar) throws IOException, InterruptedException {
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Path program = Path.of("src", "build", "java", "UpgradeClassFiles.java");
        Process process = new ProcessBuilder(java.toString(), program.toString(), jar.toString())
                .inheritIO()
                .start();
        assertEquals(0, process.waitFor());
    }
}

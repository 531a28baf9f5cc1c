package dev.guestcore.dist;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The archive, unpacked anywhere. */
class ArchiveIT {

    @TempDir
    Path folder;

    private Path unpack(String place) throws IOException {
        ForeignTools.require("tar");
        Path target = Files.createDirectory(folder.resolve(place));
        ForeignTools.output("tar", "-xzf", Packaged.archive().toString(), "-C", target.toString());
        try (Stream<Path> inside = Files.list(target)) {
            List<Path> folders = inside.toList();
            assertEquals(1, folders.size(), "an archive unpacks into one folder");
            return folders.getFirst();
        }
    }

    @Test
    void runsFromWhereverItIsUnpacked() throws IOException {
        Path home = unpack("a place");
        // Its Java is for itself, and does not hide another one of those who put the folder into their path.
        assertEquals(List.of("guestcore"), names(home.resolve("bin")));
        Path link = Files.createSymbolicLink(folder.resolve("frozen"), home.resolve("bin/guestcore"));
        String demo = folder.resolve("demo").toString();
        String said = ForeignTools.output(
                "env", "-i", "PATH=/usr/bin:/bin", "GUESTCORE_JAVA_OPTIONS=-XX:AOTMode=on", link.toString(), "demo",
                "-o", demo);
        assertTrue(said.contains("demo.vbox"), said);
        assertTrue(said.contains(link.toString()), "it says what to type here: " + said);
    }

    @Test
    void itsCodecsAreAsOpenAsInACheckout() throws IOException {
        String java = unpack("codecs").resolve("lib/runtime/bin/java").toString();
        String module = ForeignTools.output(java, "--describe-module", "aircompressor.v3");
        assertTrue(module.contains("exports io.airlift.compress.v3.zstd\n"), module);
        // So Java lists a package that a module keeps to itself.
        assertFalse(module.contains("contains "), module);
    }

    @Test
    void itsBillOfMaterialsNamesEveryLibrary() throws IOException {
        String bill = Files.readString(unpack("bill").resolve("share/doc/guestcore/guestcore.cdx.json"));
        List<String> jars = names(Packaged.modules());
        assertTrue(jars.size() > 6, jars.toString());
        for (String jar : jars) {
            String name = jar.replaceFirst("-([0-9][^-]*(-SNAPSHOT)?)\\.jar$", "@$1");
            assertTrue(bill.contains("/" + name + "?type=jar"), name);
        }
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}

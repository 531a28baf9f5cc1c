package dev.guestcore.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.testing.ForeignTools;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --manifest} of capture, convert and verify. */
class ManifestOptionsTest {

    @TempDir
    Path folder;

    private String file(String name) {
        return folder.resolve(name).toString();
    }

    private List<String> files() throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            return list.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    private static void flip(String file, long offset) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file, "rw")) {
            bytes.seek(offset);
            int value = bytes.read();
            bytes.seek(offset);
            bytes.write(value ^ 4);
        }
    }

    @Test
    @Tag("foreign")
    void aCaptureHasItsFactsBesideIt() throws IOException {
        String core = file("a.core");
        Run.of("capture", "demo:", "-o", core, "--to", "vbox", "--manifest").expect(ExitCode.DONE);
        assertEquals(List.of("a.core", "a.core.manifest.json", "a.core.sha256"), files());
        ForeignTools.require("sh", "sha256sum");
        String checked = ForeignTools.output("sh", "-c", "cd \"$0\" && sha256sum -c a.core.sha256", folder.toString());
        assertTrue(checked.contains("a.core: OK") && checked.contains("a.core.manifest.json: OK"), checked);
        Map<?, ?> manifest = (Map<?, ?>) Run.parse(Files.readAllBytes(Path.of(core + ".manifest.json")));
        Map<?, ?> guest = (Map<?, ?>) manifest.get("guest");
        assertEquals("demo:", guest.get("source"));
        assertEquals(2L, guest.get("vcpus"));
        assertTrue(guest.get("takenAt") instanceof String);
        assertTrue((Double) guest.get("frozenSeconds") > 0);
        assertEquals("guestcore " + Build.version(), manifest.get("tool"));
        assertTrue(((List<?>) manifest.get("losses")).size() > 0);

        Run same = Run.of("verify", "--manifest", core).expect(ExitCode.DONE);
        assertTrue(same.out().contains("every bit is as it was written"), same.out());
        flip(core, Files.size(Path.of(core)) - 100);
        Run changed = Run.of("verify", "--manifest", core).expect(ExitCode.DAMAGED);
        assertTrue(changed.out().contains("1 page of memory, 0 blocks"), changed.out());
        Map<?, ?> json = (Map<?, ?>) Run.of("verify", "--manifest", core, "--json").expect(ExitCode.DAMAGED).json()
                .get("manifest");
        assertEquals("changed-file", json.get("relation"));
        assertEquals(1L, json.get("changedMemoryPages"));
        // Not even its format can be told any more, but where it was changed.
        flip(core, 1);
        Run beyond = Run.of("verify", "--manifest", core).expect(ExitCode.DAMAGED);
        assertTrue(beyond.out().contains("file     offsets 0x0-0xfff"), beyond.out());
        assertEquals("", beyond.err());
        Run.of("verify", "--manifest", core, "--json").expect(ExitCode.DAMAGED).json();
    }

    @Test
    void aConvertedDumpHasTheSameMemory() throws IOException {
        String core = file("a.core");
        String xen = file("a.xen");
        Run.of("capture", "demo:", "-o", core, "--to", "vbox", "--manifest", "--manifest-file", file("m")).expect(0);
        assertEquals(List.of("a.core", "a.core.sha256", "m"), files());
        Run.of("convert", core, "-o", xen, "--to", "xen").expect(ExitCode.DONE);
        Run same = Run.of("verify", xen, "--manifest-file", file("m")).expect(ExitCode.DONE);
        assertTrue(same.out().contains("another form of the same memory"), same.out());
        flip(xen, 0x20000);
        Run changed = Run.of("verify", xen, "--manifest-file", file("m")).expect(ExitCode.DAMAGED);
        assertTrue(changed.out().contains("memory differs: 1 page"), changed.out());
    }

    /** Between the names of a core and of its manifest a run may be killed, or lose its power. */
    @Test
    void aManifestOfAnEarlierDumpIsToldFromAWrongDump() throws IOException {
        String core = file("a.core");
        Path manifest = Path.of(core + ".manifest.json");
        Run.of("capture", "demo:", "-o", core, "--to", "vbox", "--manifest").expect(ExitCode.DONE);
        byte[] stale = Files.readAllBytes(manifest);
        Run.of("capture", "demo:", "-o", core, "--to", "vbox", "--manifest", "--force").expect(ExitCode.DONE);
        Files.write(manifest, stale);
        Files.setLastModifiedTime(Path.of(core), FileTime.from(Instant.now().plusSeconds(60)));
        Run older = Run.of("verify", "--manifest", core).expect(ExitCode.DAMAGED);
        assertTrue(older.out().contains("after this manifest was made: the manifest may be that of an earlier dump"),
                older.out());
        Map<?, ?> json = (Map<?, ?>) Run.of("verify", "--manifest", core, "--json").expect(ExitCode.DAMAGED).json()
                .get("manifest");
        assertTrue(json.containsKey("modifiedAfterManifest"), json::toString);
        Files.setLastModifiedTime(Path.of(core), FileTime.from(Instant.now().minusSeconds(600)));
        Run wrong = Run.of("verify", "--manifest", core).expect(ExitCode.DAMAGED);
        assertFalse(wrong.out().contains("earlier dump"), wrong.out());
    }

    @Test
    void aStreamHasItsManifestElsewhere() throws IOException {
        Run.of("capture", "demo:", "-o", "-", "--to", "xen", "--manifest").refuses("--manifest-file");
        Run stream = Run.of("capture", "demo:", "-o", "-", "--to", "kdump", "--manifest-file", file("m"))
                .expect(ExitCode.DONE);
        Files.write(folder.resolve("received"), stream.bytes());
        Run same = Run.of("verify", file("received"), "--manifest-file", file("m")).expect(ExitCode.DONE);
        assertTrue(same.out().contains("every bit"), same.out());
    }

    @Test
    @Tag("slow")
    void whatIsMissingOrDamagedIsOneLine() throws IOException {
        String core = file("a.core");
        Run.of("capture", "demo:", "-o", core, "--to", "raw").expect(ExitCode.DONE);
        Run.of("verify", "--manifest", core).failsWith(ExitCode.FAILED, "a.core.manifest.json", "no such file");
        Files.writeString(Path.of(core + ".manifest.json"), "{\u001b[31m");
        Run damaged = Run.of("verify", "--manifest", core).failsWith(ExitCode.DAMAGED, "manifest");
        assertFalse(damaged.err().contains("\u001b"), damaged.err());
        Run.of("capture", "demo:", "-o", core, "--to", "raw", "--manifest", "--force").expect(ExitCode.DONE);
        Run.of("verify", "--manifest", core).expect(ExitCode.DONE);
    }
}

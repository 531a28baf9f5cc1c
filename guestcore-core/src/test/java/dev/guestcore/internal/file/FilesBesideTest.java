package dev.guestcore.internal.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.GuestcoreException;
import dev.guestcore.error.SourceException;
import dev.guestcore.manifest.Manifest;
import dev.guestcore.manifest.ManifestReport;
import dev.guestcore.open.Guests;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A folder from others, with links in it. */
class FilesBesideTest {

    @TempDir
    Path top;

    private Path folder;
    private Path secret;

    @BeforeEach
    void setUp() throws IOException {
        folder = Files.createDirectories(top.resolve("guest/below")).getParent();
        secret = Files.writeString(Files.createDirectory(top.resolve("home")).resolve("secret"),
                "the user's own secret bytes");
        Files.writeString(folder.resolve("below/own"), "bytes of the guest, which it may show");
        Files.createSymbolicLink(folder.resolve("link"), secret);
        Files.createSymbolicLink(folder.resolve("relative"), Path.of("../home/secret"));
        Files.createSymbolicLink(folder.resolve("chain"), Path.of("link"));
        Files.createSymbolicLink(folder.resolve("out"), top.resolve("home"));
        Files.createSymbolicLink(folder.resolve("inside"), Path.of("below/own"));
    }

    private String location(String file) throws IOException {
        Path description = Files.writeString(
                folder.resolve("guest.json"),
                "{\"regions\":[{\"kind\":\"ram\",\"address\":0,\"size\":\"4K\",\"contents\":[{\"file\":\"" + file
                        + "\",\"size\":16}]}]}");
        return "file:" + description;
    }

    @ParameterizedTest
    @ValueSource(strings = {"link", "relative", "chain", "out/secret", "below/../link"})
    void aDescriptionShowsNoFileOutsideItsFolder(String file) throws IOException {
        String location = location(file);
        GuestcoreException error = assertThrows(GuestcoreException.class, () -> Guests.open(location).close());
        assertTrue(error.getMessage().contains("not a link that leads out of it"), error.getMessage());
    }

    @Test
    void aLinkWithinTheFolderIsFollowed() throws IOException {
        Path other = Files.createSymbolicLink(top.resolve("alias"), folder);
        String location = location("inside").replace(folder.toString(), other.toString());
        try (Guest guest = Guests.open(location)) {
            byte[] bytes = new byte[5];
            guest.memory().read(0, MemorySegment.ofArray(bytes));
            assertEquals("bytes", new String(bytes, StandardCharsets.US_ASCII));
        }
    }

    private Path image() {
        Path image = folder.resolve("image");
        try (Guest guest = Guest.builder().ram(0, MemorySegment.ofArray(new byte[8192])).build()) {
            Manifest.write(Guests.format("raw").writer(Map.of()), guest, image, Progress.none());
        }
        return image;
    }

    @Test
    void theMapOfAnImageIsBesideIt() throws IOException {
        Path image = image();
        Path map = folder.resolve("image.map.json");
        Path elsewhere = Files.move(map, top.resolve("home/map"));
        Files.createSymbolicLink(map, elsewhere);
        SourceException error = assertThrows(SourceException.class, () -> Guests.open(image).close());
        assertEquals(
                map + ": is a link to a file in another folder; put the file itself beside image", error.getMessage());
        assertFalse(Manifest.read(Manifest.beside(image)).verify(image, Progress.none()).matches());
    }

    @Test
    void aMapThatIsNoFileIsRefused() throws Exception {
        Path image = image();
        Path map = folder.resolve("image.map.json");
        Files.delete(map);
        assertEquals(0, new ProcessBuilder("mkfifo", map.toString()).start().waitFor());
        GuestcoreException error = assertThrows(GuestcoreException.class, () -> Guests.open("raw:" + image).close());
        assertEquals(map + ": is not a regular file", error.getMessage());
    }

    /** As package managers and archives of samples do it: all files are links into a store. */
    @Test
    void linksToAnImageAndItsMapAreFine() throws IOException {
        Path image = image();
        Path shown = Files.createDirectory(top.resolve("shown"));
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.filter(path -> path.getFileName().toString().startsWith("image")).toList()) {
                Files.createSymbolicLink(shown.resolve(file.getFileName()), file);
            }
        }
        Path link = shown.resolve("image");
        try (Guest guest = Guests.open(link)) {
            assertEquals(1, guest.memory().regions().size());
        }
        ManifestReport report = Manifest.read(Manifest.beside(link)).verify(link, Progress.none());
        assertTrue(report.matches(), report::toString);
        Files.delete(shown.resolve("image.map.json"));
        Files.createSymbolicLink(shown.resolve("image.map.json"), secret);
        assertThrows(SourceException.class, () -> Guests.open(link).close());
        assertTrue(Files.exists(image));
    }
}

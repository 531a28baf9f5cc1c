package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.CancelledException;
import dev.guestcore.testing.MadeUpKernel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class KernelCacheTest {

    /** Ends a search as soon as it begins. */
    private static final Progress NO_SEARCH = new Progress() {
        @Override
        public void begin(String phase, long totalBytes) {
            throw new CancelledException();
        }

        @Override
        public void advance(long bytes) {
            throw new CancelledException();
        }
    };

    @TempDir
    Path folder;

    private final MadeUpKernel kernel = MadeUpKernel.at(0x1c0_0000, 0x60_0000).withSymbols();
    private Path dump = Path.of("");
    private Path entries = Path.of("");

    @BeforeEach
    void writeDump() throws IOException {
        dump = Files.write(folder.resolve("dump"), kernel.bytes());
        entries = folder.resolve("cache").resolve("kernels");
    }

    private KernelCache cache() {
        return KernelCache.of(entries, dump.toString());
    }

    private Linux find(Progress progress) {
        try (Guest guest = kernel.guest().build()) {
            return Linux.of(guest, progress, cache());
        }
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(entries)) {
            return files.toList();
        }
    }

    @Test
    void whatWasFoundIsNotSearchedForAgain() throws IOException {
        assertThrows(CancelledException.class, () -> find(NO_SEARCH));
        Linux first = find(Progress.none());
        assertEquals(first.image().physicalBase(), find(NO_SEARCH).image().physicalBase());
        assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(entries)));
        assertEquals(1, files().size());
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(files().getFirst())));
    }

    @Test
    void anotherFileIsAnotherEntry() throws IOException {
        find(Progress.none());
        byte[] changed = kernel.bytes().clone();
        changed[100]++;
        Files.write(dump, changed);
        assertEquals(OptionalLong.empty(), cache().place());
        assertTrue(KernelCache.of(entries, "raw:" + dump + "@0x0").place().isEmpty());
        assertTrue(KernelCache.of(entries, "qemu:/run/vm.qmp").place().isEmpty());
    }

    /** Whoever writes into the folder cannot have a kernel taken for what it is not. */
    @Test
    void hostileEntriesCostNothingButTime() throws IOException {
        Linux right = find(Progress.none());
        Path entry = files().getFirst();
        String good = Files.readString(entry);
        for (String hostile : List.of("", "x", "guestcore kernel 1\n0x0\n", "guestcore kernel 1\n0xffffffffffffff\n",
                "guestcore kernel 1\n0x-1\n", good + good, "guestcore kernel 2\n0x1000\n", "\0".repeat(1 << 20))) {
            Files.writeString(entry, hostile);
            assertEquals(right.image().physicalBase(), find(Progress.none()).image().physicalBase());
            assertEquals(good, Files.readString(entry), "it is written anew");
        }
    }

    @Test
    void aFolderThatOthersMayWriteToIsNotUsed() throws IOException {
        find(Progress.none());
        Files.setPosixFilePermissions(entries, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertTrue(cache().place().isEmpty());
        Path entry = files().getFirst();
        Files.delete(entry);
        find(Progress.none());
        assertEquals(List.of(), files());
        Files.setPosixFilePermissions(entries, PosixFilePermissions.fromString("rwx------"));
        Path elsewhere = Files.writeString(folder.resolve("elsewhere"), "guestcore kernel 1\n0x1000\n");
        Files.createSymbolicLink(entry, elsewhere);
        assertTrue(cache().place().isEmpty());
        find(Progress.none());
        assertFalse(Files.isSymbolicLink(entry));
        assertEquals("guestcore kernel 1\n0x1000\n", Files.readString(elsewhere), "links are not followed");
        Path linked = folder.resolve("linked");
        Files.createSymbolicLink(linked, entries);
        assertTrue(KernelCache.of(linked, dump.toString()).place().isEmpty());
    }

    @Test
    void theOldestEntriesGo() throws IOException {
        find(Progress.none());
        for (int i = 0; i < 300; i++) {
            Files.writeString(entries.resolve("old-" + i), "x");
        }
        Files.delete(entries.resolve("old-0"));
        find(Progress.none());
        Files.write(dump, new byte[] {1});
        try (Guest guest = kernel.guest().build()) {
            Linux.of(guest, Progress.none(), cache());
        }
        assertTrue(files().size() <= 256, files()::toString);
        assertFalse(cache().place().isEmpty());
    }

    @Test
    void theFolderIsThatOfTheUser() {
        assertEquals(
                Optional.of(Path.of("/x/guestcore/kernels")),
                KernelCache.folder(Map.of("XDG_CACHE_HOME", "/x", "HOME", "/home/me")));
        assertEquals(
                Optional.of(Path.of("/home/me/.cache/guestcore/kernels")),
                KernelCache.folder(Map.of("XDG_CACHE_HOME", "relative", "HOME", "/home/me")));
        assertEquals(Optional.empty(), KernelCache.folder(Map.of()));
    }
}

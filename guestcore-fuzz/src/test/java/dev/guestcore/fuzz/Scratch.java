package dev.guestcore.fuzz;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.stream.Stream;

/** A file that gets new content again and again, in memory where the system has such a folder. */
final class Scratch {

    /** Where the folder should be; the launcher, which outlives a killed run, deletes it. */
    static final String FOLDER_PROPERTY = "guestcore.fuzz.scratch";

    /** Where all scratch files of this process are. */
    static final Path FOLDER = folder();

    private final Path path;
    private final FileChannel channel;

    Scratch(String name) throws IOException {
        path = FOLDER.resolve(name);
        channel = FileChannel.open(path, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    }

    private static Path folder() {
        try {
            String wanted = System.getProperty(FOLDER_PROPERTY);
            if (wanted != null) {
                return Files.createDirectories(Path.of(wanted));
            }
            Path created = newFolder();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(created)));
            return created;
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Makes a folder that nobody else uses. */
    static Path newFolder() throws IOException {
        Path memory = Path.of("/dev/shm");
        return Files.isWritable(memory)
                ? Files.createTempDirectory(memory, "guestcore-fuzz")
                : Files.createTempDirectory("guestcore-fuzz");
    }

    static void delete(Path folder) {
        try (Stream<Path> tree = Files.walk(folder)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException e) {
            System.err.println("cannot delete " + folder + ": " + e.getMessage());
        }
    }

    /** Where the file is. */
    Path path() {
        return path;
    }

    /** The file with that content. */
    Path with(byte[] content) throws IOException {
        return with(content, 0, content.length);
    }

    /** The file with part of {@code bytes} as its content. */
    Path with(byte[] bytes, int from, int size) throws IOException {
        ByteBuffer source = ByteBuffer.wrap(bytes, from, size);
        long at = 0;
        while (source.hasRemaining()) {
            at += channel.write(source, at);
        }
        channel.truncate(size);
        return path;
    }
}

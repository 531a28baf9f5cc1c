package dev.guestcore.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/** Keeps {@link Undisturbed} test classes apart from those that another process of the same build runs. */
public final class TakesTurns implements BeforeAllCallback {

    private static final Path FOLDER = Path.of("target");

    /** A turn is taken only while this is held: so who waits to be alone is not overtaken for ever. */
    private static final Path QUEUE = FOLDER.resolve("queue.lock");

    private static final Path MACHINE = FOLDER.resolve("machine.lock");

    /** Ends by closing, at the latest with the process. */
    private record Turn(FileChannel machine) implements AutoCloseable {

        static Turn take(boolean alone) {
            try {
                Files.createDirectories(FOLDER);
                try (FileChannel queue = open(QUEUE)) {
                    queue.lock();
                    FileChannel machine = open(MACHINE);
                    machine.lock(0, Long.MAX_VALUE, !alone);
                    return new Turn(machine);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static FileChannel open(Path file) throws IOException {
            return FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        }

        @Override
        public void close() throws IOException {
            machine.close();
        }
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        boolean alone = context.getRequiredTestClass().isAnnotationPresent(Undisturbed.class);
        context.getStore(Namespace.create(TakesTurns.class)).computeIfAbsent("turn", key -> Turn.take(alone));
    }
}

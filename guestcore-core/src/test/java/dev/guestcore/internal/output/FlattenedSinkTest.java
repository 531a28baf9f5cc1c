package dev.guestcore.internal.output;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.guestcore.file.FileBytes;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FlattenedSinkTest {

    @TempDir
    private Path folder;

    private static MemorySegment ones(int size) {
        return MemorySegment.ofArray(new byte[size]).fill((byte) 1);
    }

    private FileBytes written(Consumer<FlattenedSink> writing) throws IOException {
        Path file = folder.resolve("stream");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            ChannelSink stream = new ChannelSink(channel, "stream");
            FlattenedSink sink = new FlattenedSink(stream);
            writing.accept(sink);
            sink.finish();
            stream.flush();
        }
        return FileBytes.open(file);
    }

    @Test
    void zerosAtTheEndBelongToTheFile() throws IOException {
        try (FileBytes file = written(sink -> {
            sink.write(ones(5));
            sink.writeZeros(8192);
            sink.write(ones(0));
        })) {
            assertEquals(8197, file.size());
            assertEquals(1, file.u8(4, "last written byte"));
            assertEquals(0, file.u8(8196, "last byte"));
        }
    }

    @Test
    void whatIsWrittenOverTheEndStays() throws IOException {
        try (FileBytes file = written(sink -> {
            sink.writeZeros(10);
            sink.patch(8, ones(2));
        })) {
            assertEquals(10, file.size());
            assertEquals(1, file.u8(9, "last byte"));
        }
    }
}

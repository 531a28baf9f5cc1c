package dev.guestcore.format;

import dev.guestcore.Guest;
import dev.guestcore.Progress;
import dev.guestcore.error.OutputException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.CompanionFiles;
import dev.guestcore.internal.output.OutputFile;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.List;

/** Writes guests in one format with fixed options. Immutable and thread-safe. */
public interface CoreWriter {

    /**
     * Lays out a core.
     *
     * @throws UnsupportedRequestException if this guest cannot be written in this format
     */
    WritePlan plan(Guest guest);

    /**
     * Writes a new file, and its companions beside it. They get their names only when they are whole.
     *
     * @throws OutputException if the file exists or cannot be written; nothing is left behind then
     */
    default WriteReport write(Guest guest, Path file, Progress progress) {
        WritePlan plan = plan(guest);
        try (OutputFile output = OutputFile.create(file, OutputFile.IfExists.FAIL);
                CompanionFiles companions = new CompanionFiles(file, OutputFile.IfExists.FAIL)) {
            companions.begin(plan.companions());
            output.requireLength(plan.size());
            WriteReport report = plan.write(output.sink(), progress);
            companions.write();
            companions.commit(output, List.of());
            return report;
        }
    }

    /** Writes to a pipe, a socket, any channel. The channel stays open. */
    default WriteReport write(Guest guest, WritableByteChannel channel, Progress progress) {
        ChannelSink sink = new ChannelSink(channel, "output");
        WriteReport report = plan(guest).write(sink, progress);
        sink.flush();
        return report;
    }
}

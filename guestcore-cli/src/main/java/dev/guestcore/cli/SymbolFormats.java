package dev.guestcore.cli;

import dev.guestcore.file.CoreSink;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.export.SystemMap;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The files that {@code guestcore symbols --to} writes. */
final class SymbolFormats implements Iterable<String> {

    private static final int BUFFER = 1 << 16;

    private static final Map<String, Format> FORMATS = formats();

    private static Map<String, Format> formats() {
        Map<String, Format> formats = new LinkedHashMap<>();
        formats.put("system-map", (linux, request, out) -> SystemMap.write(linux, request.runtime, out));
        return formats;
    }

    /**
     * What the user wants of a file.
     *
     * @param runtime addresses as they are in the guest, instead of those that the kernel was linked for
     * @param force whether to replace a file
     */
    record Request(boolean runtime, boolean force) {}

    /** A kind of file. */
    @FunctionalInterface
    interface Format {

        /** Writes it. */
        void write(Linux linux, Request request, OutputStream out) throws IOException;

        /** Writes it to standard output; gives the exit code. */
        default int toStandardOutput(Console console, Linux linux, Request request) {
            ChannelSink sink = new ChannelSink(console.outChannel(), "standard output");
            writeTo(sink, linux, request);
            sink.flush();
            return ExitCode.DONE;
        }

        /** Writes a file that gets its name when it is whole; gives the exit code. */
        default int toFile(String name, Linux linux, Request request) {
            OutputFile.IfExists ifExists =
                    request.force ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
            try (OutputFile file = OutputFile.create(FileNames.fileToWrite(name), ifExists)) {
                writeTo(file.sink(), linux, request);
                file.commit();
            }
            return ExitCode.DONE;
        }

        private void writeTo(CoreSink sink, Linux linux, Request request) {
            try (OutputStream out = new BufferedOutputStream(new SinkStream(sink), BUFFER)) {
                write(linux, request, out);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** Passes bytes on to a sink. */
    private static final class SinkStream extends OutputStream {

        private final CoreSink sink;

        SinkStream(CoreSink sink) {
            this.sink = sink;
        }

        @Override
        public void write(int value) {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) {
            sink.write(MemorySegment.ofArray(bytes).asSlice(offset, length));
        }
    }

    /** The format of this name. */
    static Format find(Verb verb, String name) {
        Format format = FORMATS.get(name);
        if (format == null) {
            throw verb.usage(Choices.unknown(name, List.copyOf(FORMATS.keySet())));
        }
        return format;
    }

    @Override
    public Iterator<String> iterator() {
        return FORMATS.keySet().iterator();
    }
}

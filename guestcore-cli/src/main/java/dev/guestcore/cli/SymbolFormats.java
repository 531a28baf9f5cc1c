package dev.guestcore.cli;

import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.CoreSink;
import dev.guestcore.internal.output.ChannelSink;
import dev.guestcore.internal.output.OutputFile;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.export.IsfExport;
import dev.guestcore.linux.export.SystemMap;
import dev.guestcore.linux.export.VmcoreInfoExport;
import dev.guestcore.linux.export.VmlinuxExport;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** The files that {@code guestcore symbols --to} writes. */
final class SymbolFormats implements Iterable<String> {

    private static final int BUFFER = 1 << 16;

    private static final Map<String, Format> FORMATS = formats();

    private static Map<String, Format> formats() {
        Map<String, Format> formats = new LinkedHashMap<>();
        formats.put("system-map", (linux, request, out) -> SystemMap.write(linux, request.runtime, out));
        formats.put("vmlinux", new Vmlinux());
        formats.put("isf", new SymbolTable());
        formats.put("vmcoreinfo", new Note());
        return formats;
    }

    /** The kernel's file: its beginning is written last, so it cannot go into a pipe. */
    private static final class Vmlinux implements Format {

        @Override
        public void write(Linux linux, Request request, OutputStream out) {
            throw new UnsupportedRequestException("a vmlinux is not written in one go; name a file with -o");
        }

        @Override
        public void writeTo(CoreSink sink, String name, Linux linux, Request request) {
            if (!sink.canPatch()) {
                throw new UnsupportedRequestException("a vmlinux is not written in one go; name a file with -o");
            }
            VmlinuxExport.Report report = VmlinuxExport.write(linux, sink);
            if (!report.types()) {
                request.remark.accept("the kernel has no description of its types (BTF), so the vmlinux has symbols"
                        + " only");
            }
            if (report.missing() > 0) {
                request.remark.accept(Text.counted(report.missing(), "byte")
                        + " of the kernel's code and data are not in the dump, and zero in the vmlinux");
            }
        }
    }

    /** A table for Volatility 3. */
    private static final class SymbolTable implements Format {

        @Override
        public void write(Linux linux, Request request, OutputStream out) throws IOException {
            write(linux, request, out, false);
        }

        @Override
        public void writeTo(CoreSink sink, String name, Linux linux, Request request) throws IOException {
            try (OutputStream out = stream(sink)) {
                write(linux, request, out, name.endsWith(".xz"));
            }
        }

        private static void write(Linux linux, Request request, OutputStream out, boolean compressed)
                throws IOException {
            IsfExport.write(linux, out, compressed, "guestcore " + Build.version());
            IsfExport.limit(linux).ifPresent(request.remark);
        }
    }

    /** VMCOREINFO. */
    private static final class Note implements Format {

        @Override
        public void write(Linux linux, Request request, OutputStream out) throws IOException {
            if (VmcoreInfoExport.write(linux, out)) {
                request.remark.accept("the kernel's own VMCOREINFO is not in memory; this one was made from its"
                        + " symbols");
            }
        }
    }

    /**
     * What the user wants of a file.
     *
     * @param runtime addresses as they are in the guest, instead of those that the kernel was linked for
     * @param force whether to replace a file
     * @param remark takes what the user should know of the file
     */
    record Request(boolean runtime, boolean force, Consumer<String> remark) {}

    /** A kind of file. */
    @FunctionalInterface
    interface Format {

        /** Writes it. */
        void write(Linux linux, Request request, OutputStream out) throws IOException;

        /** Writes it to standard output; gives the exit code. */
        default int toStandardOutput(Console console, Linux linux, Request request) {
            ChannelSink sink = new ChannelSink(console.outChannel(), "standard output");
            writing(sink, "", linux, request);
            sink.flush();
            return ExitCode.DONE;
        }

        /** Writes a file that gets its name when it is whole; gives the exit code. */
        default int toFile(String name, Linux linux, Request request) {
            OutputFile.IfExists ifExists =
                    request.force ? OutputFile.IfExists.REPLACE : OutputFile.IfExists.FAIL;
            try (OutputFile file = OutputFile.create(FileNames.fileToWrite(name), ifExists)) {
                writing(file.sink(), name, linux, request);
                file.commit();
            }
            return ExitCode.DONE;
        }

        /**
         * Writes it to a sink.
         *
         * @param name of the file, empty for standard output
         */
        default void writeTo(CoreSink sink, String name, Linux linux, Request request) throws IOException {
            try (OutputStream out = stream(sink)) {
                write(linux, request, out);
            }
        }

        private void writing(CoreSink sink, String name, Linux linux, Request request) {
            try {
                writeTo(sink, name, linux, request);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private static OutputStream stream(CoreSink sink) {
        return new BufferedOutputStream(new SinkStream(sink), BUFFER);
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

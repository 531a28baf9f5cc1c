package dev.guestcore.cli;

import dev.guestcore.Guest;
import dev.guestcore.arch.Architectures;
import dev.guestcore.cpu.Architecture;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.file.Locations;
import dev.guestcore.kernel.AddressSpaceChoice;
import dev.guestcore.linux.Linux;
import dev.guestcore.linux.TaskThreads;
import dev.guestcore.serve.gdb.GdbListener;
import dev.guestcore.serve.gdb.GdbServer;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.Serial;
import java.net.InetSocketAddress;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code guestcore gdb}. */
@Command(
        name = "gdb",
        description = {
            "Serve a core file or a frozen guest to gdb or lldb: vCPUs are threads, memory is what their page tables"
                    + " show.",
            "",
            "Nothing can be changed and nothing runs. A live guest stays frozen until the command ends (Ctrl-C). The"
                    + " protocol has no password, so only this machine can connect unless --listen says otherwise."
        },
        footer = {
            "",
            "Examples:",
            "  gdb vmlinux -ex 'target remote | guestcore gdb vm.core --stdio'",
            "  guestcore gdb vm.core --port 1234",
            "  guestcore gdb qemu:/run/vm.qmp --socket /run/vm.gdb",
            "",
            "In gdb, 'monitor help' lists commands that gdb itself does not have."
        })
final class GdbVerb extends Verb {

    private static final int USUAL_PORT = 1234;
    private static final int HIGHEST_PORT = 65_535;

    @Parameters(
            index = "0",
            paramLabel = "<source>",
            description = "A core file, or a live source such as demo: or qemu:SOCKET.")
    String source = "";

    @Option(names = "--port", paramLabel = "<number>", description = "TCP port. Default: 1234; 0 chooses a free one.")
    @Nullable
    Integer port;

    @Option(
            names = "--listen",
            paramLabel = "<address>",
            description = "Address to listen on instead of this machine's own. "
                    + "Anyone who can reach it can read all memory.")
    @Nullable
    String listen;

    @Option(
            names = "--socket",
            paramLabel = "<file>",
            description = "Listen on a UNIX socket that only you can connect to.")
    @Nullable
    String socket;

    @Option(
            names = "--stdio",
            description = "Speak over standard input and output, for 'target remote | guestcore ...'.")
    boolean stdio;

    @Mixin
    PageTableOptions tables = new PageTableOptions();

    @Option(
            names = "--threads",
            paramLabel = "<what>",
            completionCandidates = Threads.class,
            description = "What the debugger's threads are: ${COMPLETION-CANDIDATES}. vcpus (default); tasks: the vCPUs, named by "
                    + "the tasks that they run, and each other task of a Linux guest as the kernel stopped it.")
    String threads = Threads.VCPUS;

    @Option(names = "--once", description = "Exit when the first debugger disconnects.")
    boolean once;

    /** What threads may be. */
    static final class Threads extends ArrayList<String> {

        static final String VCPUS = "vcpus";
        static final String TASKS = "tasks";

        @Serial
        private static final long serialVersionUID = 1L;

        Threads() {
            super(List.of(VCPUS, TASKS));
        }
    }

    GdbVerb(Console console) {
        super(console);
    }

    @Override
    public Integer call() throws Exception {
        boolean tcp = port != null || listen != null;
        if ((tcp ? 1 : 0) + (socket != null ? 1 : 0) + (stdio ? 1 : 0) > 1) {
            throw usage("choose one of --port, --socket and --stdio");
        }
        if (json && stdio) {
            throw usage("standard output takes either --json or the debugger's words");
        }
        if (port != null && (port < 0 || port > HIGHEST_PORT)) {
            throw usage("a port is a number from 0 to " + HIGHEST_PORT + ", found " + port);
        }
        if (!new Threads().contains(threads)) {
            throw usage("--threads is one of " + String.join(", ", new Threads()) + ", found '" + threads + "'");
        }
        tables.check(this);
        return unwinding(() -> {
            try (Guest guest = WatchedGuest.open(source)) {
                GdbServer server = server(guest);
                int known = report(guest.findings());
                server.restriction().ifPresent(line -> remark("guestcore: " + line));
                if (stdio) {
                    serveStandardStreams(server);
                } else {
                    serveClients(server, debugger(guest));
                }
                // What a debugger met is told when it has left.
                return known == ExitCode.DONE ? report(guest.findings()) : known;
            }
        });
    }

    private GdbServer server(Guest guest) {
        if (threads.equals(Threads.VCPUS)) {
            return new GdbServer(guest, tables.stated(), addressSpace(guest));
        }
        TaskThreads tasks = TaskThreads.ofTasks(Linux.of(guest));
        tasks.problems().forEach(problem -> remark("guestcore: " + Printable.of(problem)));
        return new GdbServer(tasks.guest(), tables.stated(), addressSpace(guest), tasks::nameOf);
    }

    /** For vCPUs whose registers do not lead to one; a guest without is still good for registers and physical memory. */
    private Optional<AddressSpaceChoice> addressSpace(Guest guest) {
        if (guest.architecture() != Architecture.UNKNOWN && guest.architecture().pagingModes().isEmpty()) {
            return Optional.empty();
        }
        if (guest.vcpus().isEmpty()) {
            remark("guestcore: the source has no registers; gdb needs an instruction pointer and is told rip 0");
        }
        try {
            AddressSpaceChoice choice = AddressSpaceOptions.choose(
                    guest, guest.vcpus().stream().findFirst(), tables, source, this);
            AddressSpaceOptions.remark(choice, "", this);
            return Optional.of(choice);
        } catch (UnsupportedRequestException e) {
            remark("guestcore: no virtual memory: " + Printable.of(String.valueOf(e.getMessage())));
            return Optional.empty();
        }
    }

    private void serveStandardStreams(GdbServer server) throws Exception {
        try (FileInputStream in = new FileInputStream(FileDescriptor.in);
                FileChannel channel = in.getChannel()) {
            // Closing the channel, unlike the stream, ends a read that waits.
            console().cancellation().closeOnRequest(channel);
            server.serve(Channels.newInputStream(channel), Channels.newOutputStream(console().outChannel()));
        }
    }

    /** The usual gdb knows the processor of the machine that it runs on, and no gdb is told the byte order. */
    private static String debugger(Guest guest) {
        String program = guest.architecture().mayBe(Architectures.X86) ? "gdb" : "gdb-multiarch";
        return program + (guest.memory().byteOrder() == ByteOrder.BIG_ENDIAN ? " -ex 'set endian big'" : "");
    }

    private void serveClients(GdbServer server, String debugger) {
        try (GdbListener listener = listener()) {
            console().cancellation().closeOnRequest(listener::close);
            if (json) {
                Map<String, Object> document = new LinkedHashMap<>();
                document.put("source", Locations.printable(source));
                document.put("target", target(listener));
                printJson(document);
                console().flush();
            } else {
                remark("listening on " + place(listener) + "; Ctrl-C ends");
                remark("connect with: " + debugger + " -ex 'target remote " + target(listener) + "'");
            }
            if (once) {
                listener.serveFirst(server);
            } else {
                listener.serveAll(server);
            }
        }
    }

    private GdbListener listener() {
        if (socket != null) {
            return GdbListener.onSocket(FileNames.path(socket));
        }
        int wanted = port != null ? port : USUAL_PORT;
        return listen != null
                ? GdbListener.on(new InetSocketAddress(listen, wanted))
                : GdbListener.onLoopback(wanted);
    }

    private static String place(GdbListener listener) {
        return listener.address() instanceof InetSocketAddress inet
                ? inet.getAddress().getHostAddress() + " port " + inet.getPort()
                : Printable.of(listener.address().toString());
    }

    private static String target(GdbListener listener) {
        return listener.address() instanceof InetSocketAddress inet
                ? (inet.getAddress().isAnyLocalAddress() || inet.getAddress().isLoopbackAddress()
                        ? ""
                        : inet.getAddress().getHostAddress()) + ":" + inet.getPort()
                : Printable.of(listener.address().toString());
    }
}

package dev.guestcore.source.qemu;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * What runs in the process of a {@link Watchdog}: listens on standard input for what would have to be undone, and undoes
 * it when standard input ends, because whoever wrote there is gone.
 *
 * <p>A line holds the whole of it, and replaces the line before; an empty one means nothing. Its fields are separated by
 * tabs: a QMP command as JSON, {@value #CANCEL} and {@value #SETTLE} for a snapshot of ours, {@value #RESUME} for a guest that was running,
 * {@value #DELETE} and a path.
 *
 * <p>Written against the JDK's oldest classes only, without the library's JSON, without lambdas: so it starts in some
 * twenty milliseconds of processor time.
 */
final class WatchdogProcess {

    /** Field: let the guest run if it is paused. */
    static final String RESUME = "resume";

    /** Field: cancel the migration. */
    static final String CANCEL = "cancel";

    /** Field: wait until QEMU has let go of the memory of a snapshot. */
    static final String SETTLE = "settle";

    /** Begin of a field: the path of a file or an empty folder to delete. */
    static final String DELETE = "delete ";

    /** What stands on standard output when this process is ready. */
    static final int READY = 'R';

    /** How long to look for a QEMU that does not listen, in milliseconds: it has most likely ended. */
    private static final int FINDING = 5_000;

    /** How long QEMU may refuse a command, in milliseconds. */
    private static final int REFUSED = 10_000;

    /** How long QEMU may write a snapshot that cannot be cancelled, in milliseconds; the guest runs meanwhile. */
    private static final int SETTLING = 600_000;

    /** How long all the rest may take, in milliseconds; another QMP client may be served before us. */
    private static final int PATIENCE = 60_000;

    private static final int PAUSE = 10;

    /** Bytes of a reply, of which none that we ask for is long. */
    private static final int LONGEST_LINE = 1 << 20;

    private static final String SNAPSHOTS_ON = "{\"execute\":\"migrate-set-capabilities\",\"arguments\":"
            + "{\"capabilities\":[{\"capability\":\"background-snapshot\",\"state\":true}]}}";

    private final String socket;
    private final String[] fields;
    private volatile boolean settling;
    private boolean resumed;
    private final ByteBuffer incoming = ByteBuffer.allocate(1 << 13).flip();

    private WatchdogProcess(String socket, String[] fields) {
        this.socket = socket;
        this.fields = fields;
    }

    /**
     * Runs the watchdog.
     *
     * @param arguments the path of the QMP socket
     */
    public static void main(String[] arguments) {
        Runtime.getRuntime().addShutdownHook(new Perseverance(Thread.currentThread()));
        System.out.write(READY);
        System.out.flush();
        String undo = listen(System.in);
        if (!undo.isEmpty()) {
            WatchdogProcess process = new WatchdogProcess(arguments[0], undo.split("\t"));
            Thread limit = new Limit(process);
            limit.setDaemon(true);
            limit.start();
            process.undo();
        }
        Runtime.getRuntime().halt(0);
    }

    /** The last whole line before the end: one that was cut short never took effect. */
    private static String listen(InputStream commands) {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        String last = "";
        try {
            for (int next = commands.read(); next >= 0; next = commands.read()) {
                if (next == '\n') {
                    last = line.toString(StandardCharsets.UTF_8);
                    line.reset();
                } else {
                    line.write(next);
                }
            }
        } catch (IOException e) {
            // Nothing more will come, which is all that matters here.
            return last;
        }
        return last;
    }

    private void undo() {
        long end = System.nanoTime() + FINDING * 1_000_000L;
        boolean reached = false;
        while (!reached && System.nanoTime() < end) {
            try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
                channel.connect(UnixDomainSocketAddress.of(socket));
                undo(channel);
                reached = true;
            } catch (IOException e) {
                // QEMU is not back from the client that died, or is gone; the loop knows when to give up.
                sleep();
            }
        }
        delete();
    }

    private void undo(SocketChannel channel) throws IOException {
        line(channel);
        ask(channel, "{\"execute\":\"qmp_capabilities\"}");
        for (String field : fields) {
            if (field.startsWith("{")) {
                long end = System.nanoTime() + REFUSED * 1_000_000L;
                while (!isReturn(ask(channel, field)) && System.nanoTime() < end) {
                    sleep();
                }
            } else if (field.equals(CANCEL)) {
                ask(channel, "{\"execute\":\"migrate_cancel\"}");
            } else if (field.equals(SETTLE)) {
                settle(channel);
            } else if (field.equals(RESUME)) {
                resume(channel);
            }
        }
    }

    /**
     * QEMU names the result of a snapshot before it has let go of the guest's memory, and if the capability were switched
     * off in between, memory would stay protected and the guest hang at its next write (seen with 7.2). While QEMU still
     * holds memory, or a migration is under way, it refuses to switch the capability on.
     */
    private void settle(SocketChannel channel) throws IOException {
        settling = true;
        long end = System.nanoTime() + SETTLING * 1_000_000L;
        while (!isReturn(ask(channel, SNAPSHOTS_ON)) && System.nanoTime() < end) {
            sleep();
        }
        settling = false;
    }

    /** Only out of the state that `stop` leads to: not after a panic, a shutdown, at the end of a migration. */
    private static boolean isPaused(String status) {
        return status.replace(" ", "").contains("\"status\":\"paused\"");
    }

    private void resume(SocketChannel channel) throws IOException {
        // A RESUME ended the standstill that was ours; one that follows it is somebody else's.
        if (isPaused(ask(channel, "{\"execute\":\"query-status\"}")) && !resumed) {
            ask(channel, "{\"execute\":\"cont\"}");
        }
    }

    private static boolean isReturn(String reply) {
        return reply.startsWith("{\"return\"");
    }

    /** The reply to a command: what is no reply, an event, is passed over. */
    private String ask(SocketChannel channel, String command) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(command.concat("\n").getBytes(StandardCharsets.UTF_8));
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
        String reply = line(channel);
        while (!isReturn(reply) && !reply.startsWith("{\"error\"")) {
            resumed |= reply.replace(" ", "").contains("\"event\":\"RESUME\"");
            reply = line(channel);
        }
        return reply;
    }

    private String line(SocketChannel channel) throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        while (true) {
            while (incoming.hasRemaining()) {
                byte next = incoming.get();
                if (next == '\n') {
                    return line.toString(StandardCharsets.UTF_8).strip();
                }
                line.write(next);
            }
            if (line.size() > LONGEST_LINE) {
                throw new IOException("this is not QEMU");
            }
            incoming.clear();
            int count = channel.read(incoming);
            incoming.flip();
            if (count < 0) {
                throw new IOException("QEMU hung up");
            }
        }
    }

    private synchronized void delete() {
        for (String field : fields) {
            if (field.startsWith(DELETE)) {
                File file = new File(field.substring(DELETE.length()));
                if (!file.delete()) {
                    // Deleted before, or not ours to delete; nobody is left to be told.
                    continue;
                }
            }
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ctrl-C and a terminal that closes reach this process too, and must not end it before its work is done. */
    private static final class Perseverance extends Thread {

        private final Thread work;

        Perseverance(Thread work) {
            this.work = work;
        }

        @Override
        public void run() {
            try {
                work.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Ends the process when there is no more hope. */
    private static final class Limit extends Thread {

        private final WatchdogProcess process;

        Limit(WatchdogProcess process) {
            this.process = process;
        }

        @Override
        public void run() {
            try {
                do {
                    Thread.sleep(PATIENCE);
                } while (process.settling);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            process.delete();
            Runtime.getRuntime().halt(1);
        }
    }
}

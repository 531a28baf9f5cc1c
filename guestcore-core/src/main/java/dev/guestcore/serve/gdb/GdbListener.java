package dev.guestcore.serve.gdb;

import dev.guestcore.error.SourceException;
import dev.guestcore.error.UnsupportedRequestException;
import dev.guestcore.internal.file.IoReason;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * A place where debuggers connect: a TCP port or a UNIX socket. Each client has a session and a thread of its own, so one
 * that is idle keeps nobody out; up to 4 are served at a time, and one more is told so and left.
 *
 * <p>{@link #close()} may be called from any thread and ends the sessions under way.
 */
public final class GdbListener implements AutoCloseable {

    /** Each may hold some MiB of page tables. */
    private static final int MOST_CLIENTS = 4;

    /** Clients that are being told that there are too many; more are left without a word. */
    private static final int MOST_REFUSED = 16;

    /** For a client to send its first packet, which is the one that gets the refusal. */
    private static final Duration PATIENCE = Duration.ofSeconds(1);

    private final ServerSocketChannel server;
    private final Optional<Path> socketFile;
    private final Set<SocketChannel> served = ConcurrentHashMap.newKeySet();
    private final Set<SocketChannel> refused = ConcurrentHashMap.newKeySet();
    private final AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
    private volatile boolean closed;

    private GdbListener(ServerSocketChannel server, Optional<Path> socketFile) {
        this.server = server;
        this.socketFile = socketFile;
    }

    /**
     * Listens for clients on this machine.
     *
     * @param port TCP port, 0 to 65535; 0 takes a free one
     * @throws SourceException if the port is in use
     */
    public static GdbListener onLoopback(int port) {
        return on(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
    }

    /**
     * Listens on an address of the caller's choice. The protocol has no password: whoever can connect reads all of the
     * guest's memory.
     *
     * @throws SourceException if the address is in use or not of this machine
     */
    public static GdbListener on(InetSocketAddress address) {
        if (address.isUnresolved()) {
            throw new UnsupportedRequestException("no host is known by the name " + address.getHostString());
        }
        try {
            ServerSocketChannel server = ServerSocketChannel.open();
            try {
                server.setOption(StandardSocketOptions.SO_REUSEADDR, true);
                server.bind(address);
                return new GdbListener(server, Optional.empty());
            } catch (IOException | RuntimeException e) {
                server.close();
                throw e;
            }
        } catch (IOException e) {
            throw new SourceException("cannot listen on " + address + ": " + e.getMessage(), e);
        }
    }

    /**
     * Listens on a UNIX socket that only its owner can connect to. {@link #close()} removes it.
     *
     * @param path where to make the socket; must not exist
     * @throws SourceException if it exists or cannot be made
     */
    public static GdbListener onSocket(Path path) {
        try {
            // A socket is made with the permissions of the process, so it is made where nobody else can go.
            Path absolute = path.toAbsolutePath();
            Path folder = Files.createTempDirectory(
                    absolute.getParent(), ".gdb", PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------")));
            Path made = folder.resolve("s");
            ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                server.bind(UnixDomainSocketAddress.of(made));
                Files.setPosixFilePermissions(made, PosixFilePermissions.fromString("rw-------"));
                Files.createLink(absolute, made);
                return new GdbListener(server, Optional.of(absolute));
            } catch (IOException | RuntimeException e) {
                server.close();
                throw e;
            } finally {
                Files.deleteIfExists(made);
                Files.deleteIfExists(folder);
            }
        } catch (FileAlreadyExistsException e) {
            throw new SourceException(path + " exists already; remove it or name another socket", e);
        } catch (IOException e) {
            throw new SourceException("cannot listen on " + path + ": " + IoReason.of(e), e);
        }
    }

    /** Where it listens. */
    public SocketAddress address() {
        try {
            return socketFile.isPresent() ? UnixDomainSocketAddress.of(socketFile.get()) : server.getLocalAddress();
        } catch (IOException e) {
            throw new SourceException("the listener is closed", e);
        }
    }

    /**
     * Serves every client that comes until the listener is closed and the last session has ended.
     *
     * @return how many were served
     * @throws SourceException if no client can be accepted
     */
    public int serveAll(GdbServer guest) {
        return serve(guest, MOST_CLIENTS, false);
    }

    /**
     * Waits for a client, serves it until it leaves, and closes the listener. Who comes meanwhile is told that another is
     * being served.
     *
     * @return false if the listener was closed before a client came
     * @throws SourceException if no client can be accepted
     */
    public boolean serveFirst(GdbServer guest) {
        return serve(guest, 1, true) > 0;
    }

    private int serve(GdbServer guest, int most, boolean once) {
        List<Thread> sessions = new ArrayList<>();
        int clients = 0;
        try {
            while (true) {
                SocketChannel client = server.accept();
                sessions.removeIf(session -> !session.isAlive());
                if (served.size() < most) {
                    clients++;
                    served.add(client);
                    sessions.add(start("gdb client " + clients, () -> serve(guest, client, once)));
                } else if (refused.size() < MOST_REFUSED) {
                    refused.add(client);
                    start("gdb refusal", () -> refuse(client, most));
                } else {
                    client.close();
                }
            }
        } catch (ClosedChannelException e) {
            // That is how it ends.
        } catch (IOException e) {
            close();
            throw new SourceException("cannot accept a debugger: " + IoReason.of(e), e);
        } finally {
            // The caller closes the guest next.
            sessions.forEach(GdbListener::await);
        }
        switch (failure.get()) {
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case null, default -> {
                return clients;
            }
        }
    }

    private static Thread start(String name, Runnable work) {
        return Thread.ofPlatform().daemon().name(name).start(work);
    }

    private static void await(Thread session) {
        boolean interrupted = false;
        while (session.isAlive()) {
            try {
                session.join();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void serve(GdbServer guest, SocketChannel client, boolean once) {
        try (client) {
            if (closed) {
                return;
            }
            if (socketFile.isEmpty()) {
                client.setOption(StandardSocketOptions.TCP_NODELAY, true);
                client.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
            }
            guest.serve(Channels.newInputStream(client), Channels.newOutputStream(client));
        } catch (IOException e) {
            System.getLogger(GdbListener.class.getName())
                    .log(System.Logger.Level.DEBUG, "the client has disconnected", e);
        } catch (RuntimeException | Error e) {
            // A fault of ours ends all, and whoever called us hears of it.
            failure.compareAndSet(null, e);
            close();
        } finally {
            served.remove(client);
            if (once) {
                close();
            }
        }
    }

    private void refuse(SocketChannel client, int most) {
        Thread watchdog = start("gdb refusal's end", () -> {
            try {
                Thread.sleep(PATIENCE);
                client.close();
            } catch (InterruptedException | IOException e) {
                // The client is gone already.
            }
        });
        try (client) {
            InputStream in = Channels.newInputStream(client);
            GdbServer.refuse(in, Channels.newOutputStream(client), most == 1
                    ? "guestcore serves another debugger, and exits when that one disconnects"
                    : "guestcore serves " + most + " debuggers already; disconnect one of them first");
            // Closing with bytes unread would take the answer back.
            client.shutdownOutput();
            in.transferTo(OutputStream.nullOutputStream());
        } catch (IOException e) {
            System.getLogger(GdbListener.class.getName())
                    .log(System.Logger.Level.DEBUG, "the client has disconnected", e);
        } finally {
            refused.remove(client);
            watchdog.interrupt();
        }
    }

    /** Ends the sessions under way and stops listening. */
    @Override
    public void close() {
        closed = true;
        try {
            server.close();
            for (SocketChannel client : served) {
                client.close();
            }
            for (SocketChannel client : refused) {
                client.close();
            }
            if (socketFile.isPresent()) {
                Files.deleteIfExists(socketFile.get());
            }
        } catch (IOException e) {
            throw new SourceException("cannot close the listener: " + IoReason.of(e), e);
        }
    }
}

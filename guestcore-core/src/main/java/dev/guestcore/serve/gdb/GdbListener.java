package dev.guestcore.serve.gdb;

import dev.guestcore.SourceException;
import dev.guestcore.UnsupportedRequestException;
import dev.guestcore.internal.IoReason;
import java.io.IOException;
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
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A place where debuggers connect: a TCP port or a UNIX socket. Clients are served one after the other; who comes while
 * another is served waits.
 *
 * <p>{@link #close()} may be called from any thread and ends a session under way.
 */
public final class GdbListener implements AutoCloseable {

    private final ServerSocketChannel server;
    private final Optional<Path> socketFile;
    private volatile @Nullable SocketChannel current;
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
            throw new UnsupportedRequestException("there is no machine of the name " + address.getHostString());
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
     * Waits for a client and serves it until it leaves.
     *
     * @return false if the listener was closed before a client came
     * @throws SourceException if no client can be accepted
     */
    public boolean serveNext(GdbServer guest) {
        SocketChannel accepted;
        try {
            accepted = server.accept();
        } catch (ClosedChannelException e) {
            return false;
        } catch (IOException e) {
            throw new SourceException("cannot accept a debugger: " + e.getMessage(), e);
        }
        try (SocketChannel client = accepted) {
            current = client;
            if (closed) {
                return false;
            }
            if (socketFile.isEmpty()) {
                client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            }
            guest.serve(Channels.newInputStream(client), Channels.newOutputStream(client));
        } catch (IOException e) {
            System.getLogger(GdbListener.class.getName()).log(System.Logger.Level.DEBUG, "the client is gone", e);
        } finally {
            current = null;
        }
        return true;
    }

    /** Ends the session under way and stops listening. */
    @Override
    public void close() {
        closed = true;
        try {
            server.close();
            SocketChannel client = current;
            if (client != null) {
                client.close();
            }
            if (socketFile.isPresent()) {
                Files.deleteIfExists(socketFile.get());
            }
        } catch (IOException e) {
            throw new SourceException("cannot close the listener: " + e.getMessage(), e);
        }
    }
}
